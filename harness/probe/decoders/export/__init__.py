"""The export side of the built-in probe.

shared.py     the models and graphs that variants share
reference.py  what PyTorch says without a cache, checked against what it says with one
layouts.py  merge.py  branch.py    how exported graphs become a variant's files
optimum.py    the exporter that writes whole layouts by itself
models/       the models under test; seq2seq.py is what encoder-decoders share
"""
