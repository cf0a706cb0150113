"""Parameters that a function of a package does not take, against what each release takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.verdicts.package_names import MeasuredNames, PackageNames

_UNEXPECTED = re.compile(
    r"(?<![\w.])(?P<function>\w[\w.]{0,200})\(\) got an unexpected keyword argument '(?P<parameter>\w{1,100})'"
)
_DISTINCT = 10
"""Characters of a function at the top of a package that is taken for that one, though the text does not name the package."""
_FRAME = re.compile(r"(?:site|dist)-packages/(\w{1,100})")


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterRefusal:
    """A parameter that the function of a text does not take, and other releases of its package do."""

    package: str
    """The distribution."""
    module: str
    function: str
    """`quantize_dynamic`, `MarianMTModel.forward`."""
    parameter: str
    readings: dict[str, Reading]
    """Measured release with that function → READS: it takes the parameter."""


def parameter_refusals(text: str, parameters: Callable[[], MeasuredNames]) -> list[ParameterRefusal]:
    """The refusals that `text` has, each once. `parameters` reads what was measured, if a sentence needs it."""
    clean = " ".join(message_forms.cleaned(text).split())
    asked = dict.fromkeys(match.groups() for match in _UNEXPECTED.finditer(clean))
    found = (_refusal(function, parameter, clean, parameters()) for function, parameter in asked)
    return [refusal for refusal in found if refusal]


def _refusal(function: str, parameter: str, text: str, measured: MeasuredNames) -> ParameterRefusal | None:
    """None if no measured function has the parameter, or functions have it that differ."""
    found = list(_having(function, parameter, measured))
    named = [refusal for refusal in found if _speaks_of(text, refusal.module)]
    found = named or [refusal for refusal in found if _is_offered(refusal, text)]
    if len({(refusal.package, *refusal.readings.items()) for refusal in found}) != 1:
        return None
    # What a package offers at several places is one function; a program calls it at the shortest.
    return min(found, key=lambda refusal: len(refusal.module.split(".")))


def _having(function: str, parameter: str, measured: MeasuredNames) -> Iterator[ParameterRefusal]:
    for package, own in measured.packages.items():
        for module, names in own.names.items():
            if f"{function}({parameter})" in names:
                readings = _readings(own, module, function, parameter)
                yield ParameterRefusal(
                    package=package, module=module, function=function, parameter=parameter, readings=readings
                )


def _readings(own: PackageNames, module: str, function: str, parameter: str) -> dict[str, Reading]:
    taking = own.having(module, f"{function}({parameter})")
    return {version: Reading.READS if version in taking else Reading.REFUSES for version in own.having(module, f"{function}()")}


def _is_offered(refusal: ParameterRefusal, text: str) -> bool:
    """Whether a package offers a function at its top, under a name that is its own, and no other package was called last."""
    frames = _FRAME.findall(text)
    offered = refusal.module.count(".") <= 1 and "." not in refusal.function and len(refusal.function) >= _DISTINCT
    return offered and (not frames or frames[-1] == refusal.module.partition(".")[0])


def _speaks_of(text: str, module: str) -> bool:
    """Whether a text names a module, or the one that it lies in: `torch.onnx` for `torch.onnx.utils`, as a path too."""
    parts = module.split(".")
    names = (parts[:number] for number in range(min(2, len(parts)), len(parts) + 1))
    return any(re.search(rf"(?<![\w.]){'[./]'.join(map(re.escape, own))}(?!\w)", text) for own in names)
