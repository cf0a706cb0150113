"""The probe: the code that runs *inside* an environment under test.

Standard library and the packages under test only, Python 3.8 syntax, nothing from the rest of the harness. The host starts
`__main__.py` by path with `python -I`, which registers this folder as the package `harness_probe`.

the host          wire.py (types of jobs, events and stage data)  dispatch.py (a job, to its module)  journal.py (events)
the probe module  protocol.py (what it offers)  variant.py  graph_request.py  findings.py  decoders/ (the built-in module)
stage import      imports.py  import_together.py (in a fork)  joint_session.py (torch and onnxruntime at work)
export/           kind "export": PyTorch alone, the exporters, lint and checker
runtimes/         kind "run": load, decode, compare; runtime.py is what a runtime offers
confinement.py    a process that gives up files, network and other processes, before anything else runs
forking/          kind "forkserver": import once, fork for each job
a failure         outcome.py (fails or error)  messages.py  missing_module.py
files             artifact.py (between export and run)  compare.py (what is equal)  distributions.py (what was really used)
identity_model.py a one-node model, written without the onnx package
"""
