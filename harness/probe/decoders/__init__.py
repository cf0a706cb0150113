"""The built-in probe: Transformers models with a key-value cache, decoded step by step.

probe.py  its functions, as protocol.py lists them
export/   the models under test, their reference, and the graphs of each layout
decode/   the decoding loop: which graph runs at which step, its inputs, and what is fed back
"""
