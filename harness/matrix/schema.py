"""The shape of matrix.toml, declared with pydantic models: what may stand in it, what each means, and its defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Sized
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.matrix.spelling import spellings
from harness.matrix.values import (
    AxisValues,
    Bounds,
    Bytes,
    IrVersion,
    Jobs,
    Name,
    Once,
    Opsets,
    Place,
    RequirementText,
    TimeLimit,
    VersionOrAbsent,
    listed,
)
from harness.model import Setup
from harness.packaging_values import TorchBackend, distribution_name
from harness.probe.decoders.export.models import families
from harness.probe.export.registry import GRAPH_EXPORTERS, MODEL_EXPORTERS

Optimization = Literal["default", "disabled", "basic", "extended"]
MemoryPattern = Literal["default", "disabled"]


class _Table(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        # Editors show the docstrings of fields (docs/matrix.schema.json), and docs/matrix-keys.md is made of them.
        use_attribute_docstrings=True,
        alias_generator=AliasGenerator(validation_alias=spellings),
    )


class Constraint(_Table):
    """A known transitive trap: where `when` holds, the cell's requirements gain `add`."""

    when: str
    """A selection of cells: bounds on axes, such as `onnxruntime<1.19`."""
    add: list[RequirementText] = Field(min_length=1)
    """Requirements of distributions that no axis pins, such as `numpy<2`."""
    reason: str = Field(min_length=1)
    """Why; it is shown where the requirement makes a difference."""


class _CellRule(BaseModel):
    """A rule about cells; each key but `reason` is an axis."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, use_attribute_docstrings=True)
    reason: str = ""
    """Why."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Refuse a key that is no distribution's name."""
        assert self.axes is not None
        return self

    @property
    def axes(self) -> dict[str, str]:
        """Axis → its bound, or its version."""
        return {distribution_name(name): value for name, value in (self.__pydantic_extra__ or {}).items()}


class Exclude(_CellRule):
    """Leaves out the cells that match every given axis, as in asv; an axis has a bound."""

    __pydantic_extra__: dict[str, Bounds]


class Include(_CellRule):
    """A cell that is added whatever the exclude rules say, as in asv; an axis has a version."""

    __pydantic_extra__: dict[str, VersionOrAbsent]


class Variants(_Table):
    """How each cell is exported and run; the product of these lists."""

    exporters: Annotated[list[Name], Once] = Field(default=["torchscript", "dynamo"], min_length=1)
    """`torchscript`, `dynamo`, `optimum` (it needs the axis `optimum` or `optimum-onnx`); a probe of one's own has its own."""
    opsets: dict[Name, Opsets] = Field(default={"torchscript": [17], "dynamo": [18], "optimum": [17]})
    """Exporter → opsets, as a list or as a range such as `"12-20"`."""
    layouts: Annotated[list[Name], Once] = Field(default=["pair", "merged"], min_length=1)
    """`pair`: decoder and decoder-with-past. `merged`: one graph with an If on `use_cache_branch`. `no-cache`.
    `merged-passthrough`: as `merged`, and the cached branch returns the cross-attention cache that it was given."""
    feedbacks: Annotated[list[Name], Once] = Field(default=["keep-cross"], min_length=1)
    """What the decoding loop feeds back: `keep-cross` keeps the first step's cross-attention cache, `feed-all` feeds back
    everything; it is a diagnostic, and decides no cell."""
    bindings: Annotated[list[Literal["numpy", "ortvalue"]], Once] = Field(default=["numpy"], min_length=1)
    """`numpy`: arrays in and out. `ortvalue`: IO binding, so that the host never reads the cache."""
    strategies: Annotated[list[Name], Once] = Field(default=["cached"], min_length=1)
    """`cached`, or `mixed`: no cache for the first tokens, then the cache."""
    attentions: Annotated[list[Literal["default", "eager", "sdpa"]], Once] = Field(default=["default"], min_length=1)
    """How transformers computes attention; `default` leaves that to it."""
    ir_versions: Annotated[list[IrVersion], Once] = Field(default=["stamped"], min_length=1)
    """`stamped` keeps what the exporter wrote; a number is set in the exported graphs."""
    optimizations: Annotated[list[Optimization], Once] = Field(default=["default"], min_length=1)
    """The level of onnxruntime's graph optimisation; `default` leaves that to it."""
    memory_patterns: Annotated[list[MemoryPattern], Once] = Field(default=["default"], min_length=1)
    """Whether onnxruntime's sessions plan their memory; `default` leaves that to them."""
    require: str = "any"
    """When a cell works: if `any` of its variants does, if `all` do, or a selection such as `exporter=torchscript`."""

    @property
    def count(self) -> int:
        """An upper bound of the number of variants."""
        opsets = sum(len(self.opsets.get(exporter, ())) for exporter in self.exporters)
        lists: tuple[Sized, ...] = (
            *(self.layouts, self.feedbacks, self.bindings, self.strategies, self.attentions, self.ir_versions),
            *(self.optimizations, self.memory_patterns),
        )
        return opsets * math.prod(map(len, lists))


BUILT_IN = {
    "exporters": (*GRAPH_EXPORTERS, *MODEL_EXPORTERS),
    "layouts": ("no-cache", "pair", "merged", "merged-passthrough"),
    "feedbacks": ("keep-cross", "feed-all"),
    "strategies": ("cached", "mixed"),
}
"""Key → the names that the built-in probe knows. A probe of one's own defines names itself."""

OWN = {"layouts": ["whole"], "feedbacks": ["none"], "strategies": ["default"]}
"""Defaults of `[variants]` for a matrix with a probe of its own."""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""A checkpoint on the hub, such as `Helsinki-NLP/opus-mt-en-de`."""

FAMILIES = tuple(families.FAMILIES)
"""Models that are built from a configuration."""


class ProbeSection(_Table):
    """What is exported: a model that the built-in probe knows, or what a probe module of one's own defines."""

    model: Place = "marian"
    """A family; a folder with a saved checkpoint (relative to the folder of matrix.toml); or a checkpoint's hub id."""
    profile: Literal["tiny", "base"] = "tiny"
    """The size of a family: `base` has real dimensions."""
    seed: int = 0
    """Of the weights of a family, and of the inputs."""
    module: Place | None = None
    """A probe module of one's own: a Python file, relative to the folder of matrix.toml."""
    files: list[Place] = []
    """Patterns of files that the module needs, relative to its folder. It sees nothing else of that folder."""
    requires: list[RequirementText] = []
    """Distributions that an export needs besides the axes, such as `onnxruntime`, whose tools some exports use."""
    options: dict[str, Any] = {}
    """Passed to the module's `load`, with the seed."""

    @property
    def checkpoint(self) -> str | None:
        """The folder of the checkpoint; None for a family and for one's own module."""
        return None if self.module or self.model in FAMILIES else self.model

    @property
    def hub_id(self) -> str | None:
        """The hub id of the checkpoint; None if `model` is anything else, such as the folder of a downloaded checkpoint."""
        checkpoint = self.checkpoint
        is_id = checkpoint and HUB_ID.fullmatch(checkpoint) and not Path(checkpoint).is_absolute()
        return checkpoint if is_id else None

    @property
    def name(self) -> str:
        """The name in reports."""
        return Path(self.module or self.model).name

    @property
    def sources(self) -> dict[str, Path]:
        """Relative name → path of the module and the files that it needs; empty for the built-in probe."""
        if self.module is None:
            return {}
        folder = Path(self.module).parent
        paths = [
            Path(self.module),
            *(path for pattern in self.files for path in sorted(folder.glob(pattern)) if path.is_file()),
        ]
        return {path.relative_to(folder).as_posix(): path for path in paths}


class UvSources(_Table):
    """Where distributions come from; with empty lists uv's own defaults and environment variables apply."""

    index: list[Place] = []
    """URLs of further indexes."""
    default_index: Place | None = None
    """The URL of an index in place of the usual one."""
    no_index: bool = False
    """Whether nothing but `find-links` counts."""
    find_links: list[Place] = []
    """Folders of wheels, relative to the folder of matrix.toml, or URLs of pages with links to wheels."""
    torch_backend: TorchBackend = "auto"
    """`auto` (CPU builds where PyTorch's index answers), `default` (the default index), or a uv backend such as `cpu`."""
    exclude_newer: Place | None = None
    """A date; releases from then on do not count."""
    build: bool = False
    """Whether source distributions may be built; without it a cell that needs one is not run."""


class RunSection(_Table):
    """Limits for every stage of every probe, and how much runs at once."""

    jobs: Jobs = "auto"
    """How many probes run at once; `auto` is one on each core that this process may use, as far as memory reaches."""
    time_limit: TimeLimit = 300.0
    """For each stage of a probe, in seconds, or as text such as `"5m"`."""
    memory_limit: Bytes = 8 * 10**9
    """Resident, for a probe with all processes that it starts, in bytes, or as text such as `"8GB"`."""
    disk_limit: Bytes = 2 * 10**9
    """What one export may leave, and a probe may write besides, in bytes, or as text such as `"2GB"`; for a checkpoint 8 times
    its size, if that is more and nothing is said here."""
    python_downloads: Literal["auto", "never"] = "auto"
    """Whether uv installs an interpreter that this machine lacks."""


class Matrix(_Table):
    """A whole matrix.toml."""

    axes: dict[str, AxisValues]
    """Axis → versions: `python`, `torch`, `transformers`, `onnx`, a runtime (`onnxruntime`, `onnxruntime-node`, or both: a
    cell has one), and any other distribution. A version is exact, or a selector such as `">=4.36,<6; latest-per-minor"`
    (`latest`, `oldest`, `latest-per-minor`, `latest-per-major`, `all`), whose bounds may be left out (`"latest"`); an axis
    beyond those may be `"absent"`."""
    setup: Annotated[
        list[Annotated[Setup, Field(strict=False)]], BeforeValidator(listed, json_schema_input_type=Setup | list[Setup]), Once
    ] = Field(default=[Setup.TOGETHER], min_length=1)
    """Where export and run happen: `together` in one environment, or `handoff`, the run in one of its own."""
    exclude: list[Exclude] = []
    """Cells to leave out."""
    include: list[Include] = []
    """Cells to add."""
    constraint: list[Constraint] = []
    """Requirements to add to some cells."""
    variants: Variants = Variants()
    """How each cell is exported and run."""
    probe: ProbeSection = ProbeSection()
    """The model."""
    uv: UvSources = UvSources()
    """Where distributions come from."""
    run: RunSection = RunSection()
    """Limits and jobs."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of matrix.toml for editors, docs/matrix.schema.json; it knows the present spellings only."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Matrix.model_json_schema(mode="validation")}
