"""The exporters by name; matrix.toml accepts these names. Standard library only, because the host reads it too."""

GRAPH_EXPORTERS = {"torchscript": ".torchscript", "dynamo": ".dynamo"}
"""Name → module with an `export` for one graph."""
MODEL_EXPORTERS = {"optimum": ".optimum"}
"""Name → module with an `EXPORTER` for all graphs of a transformers model."""
