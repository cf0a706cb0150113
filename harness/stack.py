"""All knowledge of the host about the packages under test by name; the probe has its own.

Another distribution of the stack, or another runtime, is added here first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.packaging_values import within

RUNTIME = "onnxruntime"
"""The runtime that is a distribution of Python."""

ECOSYSTEMS = {"onnxruntime-node": "npm"}
"""Runtime that is no distribution of Python → the kind of its packages. Such a runtime is the run side of a handoff."""

PROGRAMS = {"npm": "node"}
"""Kind of packages → what runs them, as messages name it."""

RUNNERS = {"onnxruntime-node": "node/main.js"}
"""Such a runtime → its runner in harness/runners: the program that a probe process drives in place of an import."""

RUNTIMES = (RUNTIME, *ECOSYSTEMS)
"""The axes of runtimes. A matrix has at least one of them, and a cell a version on one."""

EVALUATOR = "onnx.reference"
"""ONNX's reference evaluator, as reports name it."""

REQUIRED_AXES = ("python", "torch", "transformers", "onnx")
"""Axes of every matrix, besides a runtime; with a probe of one's own, transformers may be missing."""

MODULES = ("torch", "transformers", "onnx", RUNTIME)
"""The modules that a process imports first, in this order, as far as its closure has them."""

ABBREVIATIONS = {"python": "py", "torch": "t", "transformers": "tf", "onnx": "o", RUNTIME: "r", "onnxruntime-node": "n"}
"""Axis → its prefix in the id of a cell."""

LABELS = {"torch": "torch", "transformers": "tf", "onnx": "onnx", RUNTIME: "ort", "onnxruntime-node": "ort-node"}
"""Distribution → its name in the label of a task."""

EXPORTS_WITH_RUNTIME = frozenset({"optimum", "optimum-onnx"})
"""Distributions with an exporter that loads its own graphs with onnxruntime, so that an export closure has both."""

EXPORTER_AXES = {"optimum": EXPORTS_WITH_RUNTIME}
"""Exporter → the axes of which a cell must have one for it; an exporter of torch needs none."""

HELPERS = {"dynamo": "onnxscript"}
"""Exporter → the distribution that it imports and torch does not require."""

BESIDE_THE_AXES = ("numpy", *HELPERS.values())
"""Distributions that a set to pin names too if it has them: their newest release breaks some sets."""

NO_MODEL_CODE = frozenset({*HELPERS.values(), "onnx-ir", "onnx", "numpy", "ml-dtypes", "protobuf", *RUNTIMES})
"""Distributions of an export that hold no code of a model; torch holds code of every model."""

RUN_SIDE = frozenset({"python", "numpy", *RUNTIMES})
"""Axes of the run side of a handoff cell, and numpy."""

EXPORTING = ("torch", "transformers", "optimum", "optimum-onnx")
"""The distributions that make an export."""

LAYERED = (("numpy", "tqdm"), ("torch",), ("transformers",), ("onnx",))
"""Distributions with layers of their own: large, and equal in many closures. torch imports those of the first layer, and
does not require them."""

SLOW_IMPORTS = ("torch", "transformers")
"""Distributions that fork servers import."""

COMPLAIN_OF_IMPORTERS = frozenset({"numpy", "google"})
"""Modules that raise in frames of their own what is wrong with the module that imports them; google has protobuf."""

FORKED_IMPORTS = {"export": ("numpy", "torch", "transformers"), "run": ("numpy", RUNTIME)}
"""Kind of job → the modules that its fork server imports, as far as its layers have them."""

NEWEST_BY = ("torch", "transformers", "onnx", "python")
"""The axes that order cells by age, the most important first."""

LARGE = {"torch": 2}
"""Axis with releases of gigabytes → number of its releases that a search tries."""

VENDORS = ("nvidia-",)
"""Prefixes of distributions that torch pins itself; none of them is a suspect by itself."""

_WITH_CUDA = 400 * 10**6
"""Bytes that no wheel of a torch for CPUs alone has."""


def unpacked(name: str, size: int) -> int:
    """About the bytes on disk of a wheel that has `size` bytes.

    Measured over the 113 wheels of the shipped matrix, which have 8.9 GB and take 16.4 GB: code for GPUs compresses badly.
    """
    if name.startswith(VENDORS):
        factor = 1.45
    elif name == "torch":
        factor = 2.1 if size > _WITH_CUDA else 3.8
    else:
        factor = 3.2
    return int(size * factor)


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
"""Distributions of the field, which may be added if one of their modules is missing, whatever package imports it."""


class RuntimeVersion(NamedTuple):
    """What runs the artifacts of a cell."""

    name: str
    """Its axis."""
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def listed(runtimes: Iterable[RuntimeVersion]) -> str:
    """`onnxruntime 1.16.3, 1.20.1 and onnxruntime-node 1.16.3`."""
    versions: dict[str, list[str]] = {}
    for runtime in runtimes:
        versions.setdefault(runtime.name, []).append(runtime.version)
    return " and ".join(f"{name} {', '.join(found)}" for name, found in versions.items())


def runtime_of(pins: Mapping[str, str]) -> RuntimeVersion | None:
    """The runtime among the versions of a cell; None if it has none."""
    return next((RuntimeVersion(name, pins[name]) for name in RUNTIMES if name in pins), None)


def required_axes(axes: Collection[str]) -> list[str]:
    """The axes on which every cell has a version, in a matrix with `axes`: of several runtimes a cell has one."""
    runtimes = [name for name in RUNTIMES if name in axes]
    return [*REQUIRED_AXES, *(runtimes if len(runtimes) == 1 else [])]


def of_python(name: str) -> bool:
    """Whether an axis is a distribution of Python, or Python itself."""
    return name not in ECOSYSTEMS


def module_of(distribution: str) -> str:
    """The module that a distribution installs."""
    return "optimum" if distribution == "optimum-onnx" else distribution.replace("-", "_")


def tool_of(name: str) -> str:
    """What looks up and installs a distribution, or the packages of a runtime: `uv`, `npm`."""
    return ECOSYSTEMS.get(name, "uv")


def helpers(exporters: frozenset[str], torch: str | None) -> Iterator[str]:
    """The distributions that `exporters` import and this torch does not require."""
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
    return distribution in {None, name} and version is not None and within(version, releases)
