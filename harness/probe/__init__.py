"""The probe: what runs *inside* an environment under test.

Standard library and the packages under test only, Python 3.8 syntax, nothing from the rest of the harness. The host
starts `__main__.py` by path with `python -I`, which registers this folder as the package `harness_probe`.

    journal.py        the only channel to the host: begin/end events, one JSON object per line
    failures.py       fails (a fact about versions) or error (ours)?
    imports.py        kind "import", and the `import` stage of every other kind
    export/           kind "export": torch, transformers and onnx
    run/              kind "run": onnxruntime and numpy alone
    artifact.py  compare.py    what the two sides share: the files between them, and what counts as equal
"""
