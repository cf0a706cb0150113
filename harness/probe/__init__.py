"""The probe: what runs *inside* an environment under test.

Standard library and the packages under test only, Python 3.8 syntax, nothing from the rest of the harness. The host
starts `__main__.py` by path with `python -I`, which registers this folder as the package `harness_probe`.

    journal.py        the only channel to the host: begin/end events, one JSON object per line
    messages.py       what an exception says, distilled
    failures.py       fails (a fact about versions) or error (ours)?
    imports.py        kind "import", and the `import` stage of every other kind
    beside.py         the same in a fork of a process that has most of it imported already
    joint.py          torch and onnxruntime at work in one process
    onnx_bytes.py     one-node models, written without the onnx package
    graphs.py         what is asked of an exporter: a module with named inputs, outputs and axes
    protocol.py       what a probe module offers: the built-in one, or one's own
    decoders/         the built-in one: Transformers models with a key-value cache
    export/           kind "export": the model in PyTorch, the exporters, a look at what they wrote
    run/              kind "run": onnxruntime and numpy alone
    independent/      kind "reference": the same runs in ONNX's reference evaluator
    running/          what those two share: load, decode, compare
    artifact.py  compare.py    what export and run share: the files between them, and what counts as equal
"""
