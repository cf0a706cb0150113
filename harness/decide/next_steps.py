"""What would answer for a message that no published report has. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from harness.decide import message_forms

_NATIVE = re.compile(
    r"\.dll\b|\bDLL load failed|\bLoadLibrary\b|\bproviders_(?:cuda|tensorrt)\b|\blib(?:cud|cublas)\w*\.so|"
    r"\bundefined symbol\b|\bcannot enable executable stack\b|\bcannot open shared object file\b|"
    r"\b(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+\b.{0,20} not found"
)
_OF_GRAPH = re.compile(r"\bnode\b.{0,40}\bname\b|\binitializer\b|\binput name\b|\brunning \w+ node\b", re.IGNORECASE)
_OF_VERSIONS = re.compile(
    r"No solution found|ResolutionImpossible|no usable wheels|has no source distribution|Encountered problems while solving|"
    r"No matching distribution|\bdepends on\b|\bcan't be installed because\b|"
    r"\brequires .{1,200}? (?:but you have|which is incompatible)|\bhas requirement .{1,200}? but you have|"
    r"\b(?:ImportError|ModuleNotFoundError)\b|No module named|cannot import name|\bmodule '[\w.]+' has no attribute|"
    r"\bcompiled (?:using|against)\b|_pb2\.py\b|\boperator \w+::\w+ does not exist|"
    r"\bopset version:? \d|\bin <module>\n[^\n]*\n\w+Error: |No ONNX function found|\bONNX export of operator\b|\baten::",
)


class FindOut(StrEnum):
    """A way to find out."""

    VERSIONS = "versions"
    """`check` runs the versions, with the model of the project."""
    MODEL = "model"
    """A probe of one's own runs the model, which the message is about."""
    NOTHING = "nothing"
    """The project does not measure what it is about."""


def way(text: str) -> FindOut:
    """What would answer for `text`."""
    clean = message_forms.cleaned(text)
    if _NATIVE.search(clean):
        return FindOut.NOTHING
    if _OF_VERSIONS.search(clean) and not _OF_GRAPH.search(clean):
        return FindOut.VERSIONS
    return FindOut.MODEL
