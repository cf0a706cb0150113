"""The run side of the built-in probe.

case.py       the arrays of a case, as inputs of the graphs
program.py    which graph runs at which step, and what is fed back: layouts, strategies, feedback, starts
loop.py       one decoding of one case
forms.py      the dtypes and shapes that outputs must have
"""
