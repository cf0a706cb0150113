"""The probe: the code that runs *inside* an environment under test.

Standard library and the packages under test only, Python 3.8 syntax, nothing from the rest of the harness. The host starts
`__main__.py` by path with `python -I`, which registers this folder as the package `harness_probe`.

the border to the host    wire.py (types of jobs, events, stage data)  dispatch.py (a job, to the module of its kind)
journal.py (events) the probe module          protocol.py (what it offers)  variant.py  graph_request.py  findings.py
decoders/ (the built-in one) the stage import          imports.py  import_together.py (in a fork)  joint_session.py (torch
and onnxruntime at work) export/                   kind "export": PyTorch alone, the exporters, lint and checker runtimes/
kind "run": load, decode, compare, in onnxruntime or in ONNX's reference evaluator forking/                  kind
"forkserver": import once, fork for each job a failure                 outcome.py (fails or error)  messages.py
missing_module.py  distributions.py (what was really used) between export and run    artifact.py (the files)  compare.py
(what is equal) identity_model.py         a one-node model, written without the onnx package
"""
