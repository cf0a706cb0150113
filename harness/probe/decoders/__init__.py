"""The built-in probe: Transformers models with a key-value cache, decoded step by step.

probe.py  what it offers, as protocol.py has it
export/   the models under test, their reference, and the graphs of each layout
decode/   the decoding loop: which graph runs at which step, what it is given, and what is fed back
"""
