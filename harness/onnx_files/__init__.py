"""Reads ONNX models of strangers, without onnx and without their weights.

protobuf.py         the wire format: fields of messages in a file, within bounds
onnx_model.py       what is kept of a model
reader.py           file → model
other_formats.py    what people take for a model
external_data.py    the files with weights beside a model: where they lie, and whether they can be read
graph_names.py      names that something gives twice, or nothing
graph_lint.py       findings that need no run, with the names that the probe gives them
"""
