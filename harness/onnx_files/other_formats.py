"""What people take for an ONNX model, by the first bytes."""

from __future__ import annotations

from harness.onnx_files.protobuf import MalformedError, Message

_SIGNATURES = {
    b"version https://git-lfs": "is a pointer of Git LFS, and not the model: `git lfs pull` fetches that",
    b"PK\x03\x04": "is a ZIP archive",
    b"<!DOCTYPE": "is an HTML page",
    b"<html": "is an HTML page",
}


def require_no_other_format(message: Message) -> None:
    """Raise MalformedError for a file that is empty, or of another format."""
    if message.length == 0:
        raise MalformedError("is empty")
    first = message.source.read(0, min(message.length, 64))
    for signature, problem in _SIGNATURES.items():
        if first.startswith(signature):
            raise MalformedError(problem)
    if first[4:8] == b"ORTM":
        raise MalformedError("is in the format of onnxruntime (.ort), and not an ONNX model")
