"""Running an artifact and judging what it gives, whichever runtime executes the graphs (run/ and independent/).

watch.py      what is noticed at each call: dimensions that are not what the graph says
interface.py  inputs that nobody offers, outputs that are not there: whose fault
stages.py     the stages load, decode and parity of a run
"""
