"""The run side of the built-in probe.

case.py       what a case's arrays are to a decoding
program.py    which graph runs at which step, and what is fed back: layouts, strategies, feedback, starts
loop.py       one decoding of one case
forms.py      the dtypes and shapes that outputs must have
"""
