"""Verdicts → what people and programs read. `contract.py` is the data, `assembly.py` makes it; each format is one module."""
