"""Which versions of PyTorch, Transformers, ONNX and onnxruntime work together? See docs/design.md."""

__version__ = "0.1.0"
