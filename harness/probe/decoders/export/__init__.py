"""The export side of the built-in probe.

shared.py     the models and graphs that variants share
reference.py  the outputs of PyTorch without a cache, checked against those with one
layouts.py    how exported graphs become a variant's files; merge.py and branch.py make the merged ones
models/       the models under test, by family
"""
