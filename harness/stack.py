"""All that the host knows about the packages under test by name. The probe, which runs beside them, has its own knowledge.

Another distribution of the stack, or another runtime, begins here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from packaging.specifiers import SpecifierSet
from packaging.version import Version

RUNTIME = "onnxruntime"
"""The distribution that runs artifacts."""

EVALUATOR = "onnx.reference"
"""ONNX's reference evaluator, as reports name it."""

REQUIRED_AXES = ("python", "torch", "transformers", "onnx", RUNTIME)
"""Axes of every matrix; a probe of one's own may do without transformers."""

MODULES = ("torch", "transformers", "onnx", RUNTIME)
"""What an import task imports, in this order, as far as a closure has it."""

ABBREVIATIONS = {"python": "py", "torch": "t", "transformers": "tf", "onnx": "o", RUNTIME: "r"}
"""Axis → how it is spelled in the id of a cell."""

LABELS = {"torch": "torch", "transformers": "tf", "onnx": "onnx", RUNTIME: "ort"}
"""Distribution → how the label of a task names it."""

EXPORTS_WITH_RUNTIME = frozenset({"optimum", "optimum-onnx"})
"""Distributions whose exporter loads what it wrote with onnxruntime: a cell that pins one has both in its export closure."""

HELPERS = {"dynamo": "onnxscript"}
"""Exporter → the distribution that it imports although torch does not require it."""

RUN_SIDE = frozenset({"python", "numpy", RUNTIME})
"""What the run side of a handoff cell imports."""

EXPORTING = ("torch", "transformers", "optimum", "optimum-onnx")
"""What an export is made with, besides the code of a model of one's own."""

LAYERED = (("numpy", "tqdm"), ("torch",), ("transformers",), ("onnx",))
"""Distributions with a layer of their own: large, and the same in many closures. torch imports those of the first layer,
and does not require them."""

SLOW_IMPORTS = ("torch", "transformers")
"""A fork server has imported these."""

FORKED_IMPORTS = {"export": ("numpy", "torch", "transformers"), "run": ("numpy", RUNTIME)}
"""Kind of job → the modules that a fork server for it imports, as far as its layers hold them."""

NEWEST_BY = ("torch", "transformers", "onnx", "python")
"""The axes that say how new a cell is, in this order."""

LARGE = {"torch": 2}
"""Axes with releases of gigabytes → how many of their releases a search tries."""

VENDORS = ("nvidia-",)
"""How the names of distributions begin that torch pins by itself, and that say nothing one by one."""

KNOWN = frozenset(
    {
        "accelerate",
        "einops",
        "huggingface-hub",
        "ml-dtypes",
        "numpy",
        "onnx",
        "onnx-ir",
        "onnxruntime",
        "onnxscript",
        "optimum",
        "optimum-onnx",
        "packaging",
        "pillow",
        "protobuf",
        "pyyaml",
        "sacremoses",
        "safetensors",
        "scipy",
        "sentencepiece",
        "sympy",
        "tiktoken",
        "tokenizers",
        "torch",
        "torchvision",
        "transformers",
    }
)
"""Distributions of the field: a module that is missing may be added from one of these, whoever asks for it."""


def helpers(exporters: frozenset[str], torch: str | None) -> Iterator[str]:
    """Distributions that one of `exporters` imports although this torch does not require them."""
    if "dynamo" in exporters and torch and Version(torch) >= Version("2.5"):
        yield HELPERS["dynamo"]


READS_PRESENCE_ONLY = {
    # It names versions to a hub, and a probe is offline.
    "huggingface_hub": (None, SpecifierSet(">=0.17.3,<=2.4.0")),
    # utils/import_utils.py: is_onnx_available.
    "transformers": ("onnx", SpecifierSet(">=4.34.1,<=5.24.0")),
}
"""Top-level module → the distribution whose version it reads only to know that it is there (None: any), and the releases
of its own distribution for which that was checked in their source."""


def reads_presence_only(name: str, reader: str, versions: Mapping[str, str]) -> bool:
    """Whether the module `reader` reads the version of `name` only to know that it is there: the version changes nothing.

    `versions` are those of the environment. It is not assumed of other readers, nor of releases that were not checked.
    """
    distribution, releases = READS_PRESENCE_ONLY.get(reader, (None, SpecifierSet("<0")))
    version = versions.get(reader.replace("_", "-"))
    return distribution in {None, name} and version is not None and releases.contains(version, prereleases=True)
