"""Verdicts → what people and programs read. `contract.py` is the data, `assembly.py` puts it together; each format is one module."""
