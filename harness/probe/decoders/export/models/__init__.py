"""The models under test. Each is built from a config, seeded, or read from a checkpoint; nothing is downloaded.

build.py          a model by family and profile, or from a checkpoint
families.py       the table of families and their profiles
subject.py        a model under test; its kinds are in seq2seq.py and decoder_only.py
cache.py          the key-value cache, for each generation of transformers
randomise.py      random weights, with which every error shows
"""
