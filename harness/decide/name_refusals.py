"""Names that a package of a text does not define, against what the sources of each release define. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.stack import module_of
from harness.verdicts.package_names import MeasuredNames

_IMPORT = re.compile(
    r"cannot import name '(?P<name>\w{1,200})' from '(?P<module>\w[\w.]{0,300})'"
    r"(?: \((?P<file>.{1,1000}?)\)(?=[\s.,:;'\"\])]|$)|(?! \())"
)
_ATTRIBUTE = re.compile(
    r"(?<!initialized )module '(?P<module>\w[\w.]{0,300})' has no attribute '(?P<name>\w{1,200})'(?! \(consider renaming )"
)
_MODULE = re.compile(r"No module named '(?P<module>\w{1,200}(?:\.\w{1,200})+)'(?!; '[\w.]+' is not a package)")
_MODEL_TYPE = re.compile(r"has model type '?(?P<type>[\w-]{1,100})'? but Transformers does not recognize this architecture")
_ARCHITECTURE = re.compile(r"Trying to export an? (?P<type>[\w-]{1,100}) model, that is a custom or unsupported architecture")
_MODELS, _EXPORTED = "transformers.models", "optimum.exporters.onnx.model_configs"
"""Where a model type has a module of its own, and where what can be exported has a class: `Qwen3OnnxConfig`."""
_CLASS = "onnxconfig"
_NOWHERE = "unknown location"
"""What Python says of a folder without a module."""
_INSTALLED = re.compile(r"(?:site|dist)-packages/")
"""Elsewhere lies a file of somebody's own with the name of a package."""


class _Missing(NamedTuple):
    """What a text does not find."""

    module: str
    name: str | None = None
    """None for the module itself."""
    attribute: bool = False
    """Whether it was looked for as an attribute, and not by an import."""
    nowhere: bool = False
    """Whether the module has no file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NameRefusal:
    """A name, or a module, that the package of a text does not have, and other releases of it have."""

    package: str
    """The distribution."""
    module: str
    name: str | None
    """None if the module itself is missing."""
    unimported: bool
    """Whether the module may be there all the same: the text has it as an attribute, and nobody may have imported it."""
    readings: dict[str, Reading]
    """Measured release of the package → READS: it has it. If all have, what was imported is none of them."""


def name_refusals(text: str, names: Callable[[], MeasuredNames]) -> list[NameRefusal]:
    """The refusals that `text` has, each once. `names` reads what was measured, if a sentence needs it."""
    clean = " ".join(message_forms.cleaned(text).split())
    asked: dict[_Missing, None] = {}
    for pattern in (_IMPORT, _ATTRIBUTE, _MODULE):
        for match in pattern.finditer(clean):
            named = match.groupdict()
            nowhere = named.get("file") == _NOWHERE
            if not named.get("file") or nowhere or _INSTALLED.search(named["file"]):
                asked[_Missing(named["module"], named.get("name"), pattern is _ATTRIBUTE, nowhere)] = None
    for match in _MODEL_TYPE.finditer(clean):
        asked[_Missing(f"{_MODELS}.{match['type'].replace('-', '_')}")] = None
    for match in _ARCHITECTURE.finditer(clean):
        asked.update({_Missing(_EXPORTED, name): None for name in _classes(match["type"], names())})
    return [refusal for missing in asked for refusal in _refusals(missing, names())]


def _classes(model_type: str, measured: MeasuredNames) -> set[str]:
    """The classes of optimum that export a model type, in whatever case they are."""
    wanted = re.sub(r"[-_]", "", model_type).lower() + _CLASS
    known = (name for own in measured.packages.values() for name in own.names.get(_EXPORTED, ()))
    return {name for name in known if name.lower() == wanted}


def _refusals(missing: _Missing, measured: MeasuredNames) -> Iterator[NameRefusal]:
    for package, own in measured.packages.items():
        if module_of(package) != missing.module.partition(".")[0]:
            continue
        module, name = missing.module, missing.name
        # A module in a package is a name there too, for an import; as an attribute only if something has imported it.
        if unimported := f"{module}.{name}" in own.modules:
            module, name = f"{module}.{name}", None
        having = own.having_module(module) if name is None else own.having(module, name)
        # Where none has it, or that is not known, no other release would bring it. Without a file it is no release at all.
        if having and (not missing.nowhere or len(having) == len(own.releases)):
            readings = {version: Reading.READS if version in having else Reading.REFUSES for version in own.releases}
            unimported = unimported and missing.attribute
            yield NameRefusal(package=package, module=module, name=name, unimported=unimported, readings=readings)
