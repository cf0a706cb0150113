"""Verdicts → what people and programs read. `contract.py` is the data; each format is one module."""
