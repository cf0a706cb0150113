"""matrix.toml → `Matrix`, validated; every error names its place in the file.

The shape is declared in schema.py (unknown keys are errors); this module turns pydantic's findings into one
sentence a person can act on. Nothing here asks the network: selectors such as `">=4.36; latest-per-minor"` stay
selectors until `environments/published_versions.py` resolves them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness import regular_files
from harness.errors import ConfigError, SelectionError, did_you_mean
from harness.matrix.schema import (
    BUILT_IN,
    FAMILIES,
    HUB_ID,
    OWN,
    Constraint,
    Exclude,
    Include,
    Matrix,
    ProbeSection,
    RunSection,
    UvSources,
    Variants,
    axis_name,
)
from harness.matrix.selection import Expression, parse
from harness.matrix.values import COMBINATIONS, version_key, with_home
from harness.model import ABSENT
from harness.packaging_values import python_version, quoted
from harness.stack import REQUIRED_AXES

_LIMIT = 16 * 2**20
"""Bytes of the largest matrix.toml; matrix-full.toml has some 10 KB."""


def load(path: Path) -> Matrix:
    """Read and validate `path`.

    Raises:
        ConfigError: the file is missing or not TOML, a key is unknown or missing, or a value is not what was expected.
    """
    file = path.name
    try:
        data = tomllib.loads(regular_files.read_named(path, limit=_LIMIT).decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            str(path), "", "no such file; name one with --config, or start from the shipped matrix.toml"
        ) from None
    except regular_files.RefusedFileError as problem:
        raise ConfigError(str(path), "", str(problem)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), "", f"cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file, "", f"not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(file, "", "its brackets are too deep") from None
    try:
        matrix = Matrix.model_validate(_normalised(file, data))
    except ValidationError as error:
        raise ConfigError(file, *_first_problem(error, data)) from None
    if matrix.probe.module is None:
        _check_variants(file, matrix.variants)
    if matrix.variants.count > COMBINATIONS:
        raise ConfigError(file, "variants", f"expected at most {COMBINATIONS:,} variants, not {matrix.variants.count:,}")
    for exporter in matrix.variants.exporters:
        if not matrix.variants.opsets.get(exporter):
            raise ConfigError(file, f"variants.opsets.{exporter}", "expected a list of opsets for every exporter in use")
    _check_axes(file, matrix)
    if matrix.probe.module is not None:
        return _with_module(matrix, data["probe"], file, path.resolve().parent)
    for key in ("files", "options", "requires"):
        if data.get("probe", {}).get(key):
            raise ConfigError(file, f"probe.{key}", "only a probe of your own has a use for it; set probe.module")
    return with_model(matrix, matrix.probe.model, file, path.resolve().parent)


def with_model(matrix: Matrix, model: str, file: str, folder: Path, profile: str | None = None) -> Matrix:
    """`matrix` with another model: a family; a checkpoint's folder, taken from `folder`; or a hub id, for `checkpoints.py`.

    Raises:
        ConfigError: it is none of these, or the matrix has a probe of its own.
    """
    if matrix.probe.module is not None:
        raise ConfigError(file, "", f"models are the built-in probe's; {matrix.probe.name} chooses its own")
    if model not in FAMILIES:
        checkpoint = (folder / with_home(model)).resolve()
        if (checkpoint / "config.json").is_file():
            model = str(checkpoint)
        elif checkpoint.exists() or not HUB_ID.fullmatch(model):
            known = ", ".join(FAMILIES)
            raise ConfigError(file, "probe.model", f"{model!r} is no model family ({known}) and no folder with a config.json")
    probe = matrix.probe.model_copy(update={"model": model, **({"profile": profile} if profile else {})})
    return matrix.model_copy(update={"probe": probe})


def _with_module(matrix: Matrix, table: dict[str, Any], file: str, folder: Path) -> Matrix:
    for key in ("model", "profile"):
        if key in table:
            raise ConfigError(file, f"probe.{key}", "is the built-in probe's; with probe.module, use probe.options")
    module = (folder / with_home(str(matrix.probe.module))).resolve()
    if not module.is_file() or module.suffix != ".py":
        raise ConfigError(file, "probe.module", f"expected a Python file; {matrix.probe.module!r} is none")
    for place, pattern in enumerate(matrix.probe.files):
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise ConfigError(file, f"probe.files[{place}]", f"expected a pattern within {module.parent.name}, not {pattern!r}")
        if not any(path.is_file() for path in module.parent.glob(pattern)):
            raise ConfigError(file, f"probe.files[{place}]", f"no file beside {module.name} matches {pattern!r}")
    return matrix.model_copy(update={"probe": matrix.probe.model_copy(update={"module": str(module)})})


def _check_variants(file: str, variants: Variants) -> None:
    for key, known in BUILT_IN.items():
        for place, name in enumerate(getattr(variants, key)):
            if name not in known:
                raise ConfigError(file, f"variants.{key}[{place}]", f"unknown: {name!r}{did_you_mean(name, known)}")
    for name in variants.opsets:
        if name not in BUILT_IN["exporters"]:
            raise ConfigError(file, f"variants.opsets.{name}", f"no such exporter{did_you_mean(name, BUILT_IN['exporters'])}")


def _normalised(file: str, data: dict[str, Any]) -> dict[str, Any]:
    probe, variants = data.get("probe"), data.setdefault("variants", {})
    if isinstance(probe, dict) and "module" in probe and isinstance(variants, dict):
        for key, names in OWN.items():
            variants.setdefault(key, names)
    axes = data.get("axes")
    if isinstance(axes, dict):
        data["axes"] = _named(file, axes)
    return data


def _named(file: str, axes: dict[str, Any]) -> dict[str, Any]:
    """The axes under normalized names.

    Raises:
        ConfigError: one is no distribution's name, or two are the same distribution's.
    """
    named: dict[str, Any] = {}
    for written, values in axes.items():
        try:
            name = axis_name(written)
        except ValueError as error:
            raise ConfigError(file, "axes", f"{error}; an axis is 'python' or a distribution") from None
        if name in named:
            raise ConfigError(file, f"axes.{name}", f"is there twice: {quoted(written)} is another spelling of it")
        named[name] = values
    return named


def _check_axes(file: str, matrix: Matrix) -> None:
    needed = [axis for axis in REQUIRED_AXES if axis != "transformers" or matrix.probe.module is None]
    for axis in needed:
        if ABSENT in matrix.axes.get(axis, ()):
            raise ConfigError(file, f"axes.{axis}", f"{axis} cannot be absent; only an axis that you added can")
        if axis not in matrix.axes:
            raise ConfigError(file, "axes", f"the axis {axis!r} is missing; expected at least one version of it")
    for python in matrix.axes["python"]:
        _check_python(file, "axes.python", python)
    _check_once(file, matrix)
    for number, trap in enumerate(matrix.constraint):
        when = _check_expression(file, f"constraint[{number}].when", trap.when, set(matrix.axes))
        for name, _ in when.patterns:
            problem = (
                f"{name!r} is no axis; expected conditions on versions such as 'torch>=2.1,<2.4': one lock serves all variants"
            )
            raise ConfigError(file, f"constraint[{number}].when", problem)
    if matrix.variants.require not in {"any", "all"}:
        require = _check_expression(file, "variants.require", matrix.variants.require, set(matrix.axes))
        if not any(require.admits(None, variant) for variant in matrix.variants.product()):
            raise ConfigError(file, "variants.require", f"{require.text!r} names no variant of this matrix")
    for number, rule in enumerate(matrix.exclude):
        _check_rule(file, f"exclude[{number}]", set(rule.bounds), set(matrix.axes), required=False)
    for number, extra in enumerate(matrix.include):
        place = f"include[{number}]"
        _check_rule(file, place, set(extra.versions), set(matrix.axes), required=True)
        for axis, version in extra.versions.items():
            if version == ABSENT and axis in needed:
                raise ConfigError(file, f"{place}.{axis}", f"{axis} cannot be absent; only an axis that you added can")
        _check_python(file, f"{place}.python", extra.versions["python"])


def _check_python(file: str, place: str, text: str) -> None:
    try:
        python_version(text)
    except ValueError as error:
        raise ConfigError(file, place, str(error)) from None


def _check_once(file: str, matrix: Matrix) -> None:
    for axis, values in matrix.axes.items():
        there: dict[object, str] = {}
        for place, value in enumerate(values):
            key = version_key(axis, value)
            if key in there:
                raise ConfigError(
                    file, f"axes.{axis}[{place}]", f"expected each version once; {value!r} is there as {there[key]!r}"
                )
            there[key] = value


def _check_expression(file: str, place: str, text: str, axes: set[str]) -> Expression:
    try:
        expression = parse(text)
    except SelectionError as error:
        raise ConfigError(file, place, str(error)) from None
    for axis in sorted(expression.axes - axes):
        raise ConfigError(file, place, f"no such axis: {axis!r}{did_you_mean(axis, axes)}")
    return expression


def _check_rule(file: str, place: str, named: set[str], axes: set[str], *, required: bool) -> None:
    for axis in sorted(named - axes):
        raise ConfigError(file, f"{place}.{axis}", f"no such axis{did_you_mean(axis, axes)}")
    for axis in sorted(axes - named) if required else ():
        raise ConfigError(file, place, f"expected a version for every axis; {axis!r} is missing")
    if not named:
        raise ConfigError(file, place, "expected at least one axis; an empty rule would match every cell")


def _first_problem(error: ValidationError, data: object) -> tuple[str, str]:
    """(place in the file, sentence) of the first thing pydantic found; one at a time is what people fix."""
    problem = error.errors(include_url=False)[0]
    place = _place(problem["loc"], data, missing=problem["type"] == "missing")
    match problem["type"]:
        case "extra_forbidden":
            return place, f"unknown key{did_you_mean(str(problem['loc'][-1]), _keys_beside(problem['loc']))}"
        case "missing":
            return place, "missing; this key is required"
        case "value_error":
            return place, str(problem["ctx"]["error"])
        case _:
            found = problem["input"]
            return place, f"{problem['msg'][0].lower()}{problem['msg'][1:]} (found {type(found).__name__} {found!r})"


def _place(parts: tuple[int | str, ...], data: object, *, missing: bool) -> str:
    """`exclude[0].torch`: the parts that are in the file; pydantic adds words of its own, such as a union's branch."""
    place = ""
    for number, part in enumerate(parts):
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            data, place = data[part], f"{place}[{part}]"
        elif isinstance(data, dict) and (part in data or (missing and number == len(parts) - 1)):
            data, place = data.get(part), f"{place}.{part}" if place else str(part)
    return place


def _keys_beside(place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where an unknown one was found."""
    model: type[BaseModel] = Matrix
    for part in place[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = _TABLES[part]
    return [info.alias or name for name, info in model.model_fields.items()]


_TABLES: dict[str, type[BaseModel]] = {
    "exclude": Exclude,
    "include": Include,
    "constraint": Constraint,
    "variants": Variants,
    "probe": ProbeSection,
    "uv": UvSources,
    "run": RunSection,
}
