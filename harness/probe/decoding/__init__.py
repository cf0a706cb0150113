"""The decoding loop and its judgement, whichever runtime executes the graphs (run/ and independent/).

graph.py      what a runtime offers: load a graph, run it, look at a value without reading it
protocol.py   which graph runs at which step, and what is fed back: layouts, strategies, feedback, starts
loop.py       one decoding of one case
forms.py      the dtypes and shapes that outputs must have
watch.py      what is noticed at each call: dimensions that are not what the graph says
stages.py     the stages load, decode and parity of a run
"""
