"""matrix.toml → `Matrix`, validated; every error names its place in the file.

schema.py declares the shape of each table (unknown keys are errors), and checks.py what must hold between tables. This
module reads the file and raises all problems at once, each with its line. It asks no network: selectors such as
`">=4.36; latest-per-minor"` stay selectors until `environments/published_versions.py` resolves them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness import regular_files
from harness.errors import ConfigError, did_you_mean
from harness.matrix import checks
from harness.matrix.schema import (
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
)
from harness.matrix.spelling import OLD_SPELLINGS, key_of, spelled
from harness.matrix.values import with_home
from harness.packaging_values import distribution_name, quoted

_LIMIT = 16 * 2**20
"""Bytes of the largest matrix.toml; matrix-full.toml has some 10 KB."""


def load(path: Path, note: Callable[[str], None] = lambda _: None) -> Matrix:
    """Read and validate `path`; `note` receives one sentence if the file has old spellings of keys.

    Raises:
        ConfigError: the file is missing or not TOML, a key is unknown or missing, or a value is not what was expected.
    """
    file, folder = path.name, regular_files.real(path).parent
    content = _content(path)
    tables = _normalised(file, _tables(path, content))
    if old := _old_spellings(file, tables):
        note(f"{file} has old spellings of keys, which are still read: {', '.join(old)}")
    try:
        matrix = Matrix.model_validate(tables)
    except ValidationError as error:
        raise _problems(file, content, [_problem(problem, tables) for problem in error.errors(include_url=False)]) from None
    # The first: a later check may rest on what an earlier one found to be wrong.
    for found in checks.problems(matrix, tables):
        raise _problems(file, content, [found])
    if matrix.probe.module is not None:
        return _with_module(matrix, tables["probe"], file, folder)
    return with_model(matrix, matrix.probe.model, file, folder)


def _content(path: Path) -> str:
    try:
        return regular_files.read_named_text(path, limit=_LIMIT)
    except FileNotFoundError:
        raise ConfigError(
            str(path), "", "no such file; name one with --config, or start from the shipped matrix.toml"
        ) from None
    except regular_files.RefusedFileError as problem:
        raise ConfigError(str(path), "", str(problem)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), "", f"cannot be read: {error}") from None


def _tables(path: Path, content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except ValueError as error:  # not TOMLDecodeError alone: an integer may have more digits than Python converts
        raise ConfigError(path.name, "", f"not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(path.name, "", "its brackets are too deep") from None


def _old_spellings(file: str, tables: dict[str, Any]) -> list[str]:
    """`feedback (now feedbacks)` for each key that has its old spelling.

    Raises:
        ConfigError: both spellings are there.
    """
    variants = tables["variants"]
    found = []
    for key, old in OLD_SPELLINGS.items():
        table = tables if key in Matrix.model_fields else variants
        if isinstance(table, dict) and old in table:
            if key in table:
                place = old if table is tables else f"variants.{old}"
                raise ConfigError(file, place, f"is the old spelling of {key!r}, which is there too; leave out {old!r}")
            found.append(f"{old} (now {key})")
    return found


def with_model(matrix: Matrix, model: str, file: str, folder: Path, profile: str | None = None) -> Matrix:
    """`matrix` with another model: a family; a checkpoint's folder, taken from `folder`; or a hub id, for `checkpoints.py`.

    Raises:
        ConfigError: it is none of these, or the matrix has a probe of its own.
    """
    if matrix.probe.module is not None:
        raise ConfigError(file, "", f"models are the built-in probe's; {matrix.probe.name} chooses its own")
    if model not in FAMILIES:
        checkpoint = regular_files.real(folder / with_home(model))
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
    module = regular_files.real(folder / with_home(str(matrix.probe.module)))
    if not module.is_file() or module.suffix != ".py":
        raise ConfigError(file, "probe.module", f"expected a Python file; {matrix.probe.module!r} is none")
    for index, pattern in enumerate(matrix.probe.files):
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise ConfigError(file, f"probe.files[{index}]", f"expected a pattern within {module.parent.name}, not {pattern!r}")
        if not any(path.is_file() for path in module.parent.glob(pattern)):
            raise ConfigError(file, f"probe.files[{index}]", f"no file beside {module.name} matches {pattern!r}")
    return matrix.model_copy(update={"probe": matrix.probe.model_copy(update={"module": str(module)})})


def _normalised(file: str, tables: dict[str, Any]) -> dict[str, Any]:
    """`tables` with the axes under normalized names, and with the values that a probe module of one's own leaves out."""
    probe, variants = tables.get("probe"), tables.setdefault("variants", {})
    if isinstance(probe, dict) and "module" in probe and isinstance(variants, dict):
        for key, names in OWN.items():
            variants.setdefault(spelled(key, variants), names)
    axes = tables.get("axes")
    if isinstance(axes, dict):
        tables["axes"] = _normalised_axes(file, axes)
    return tables


def _normalised_axes(file: str, axes: dict[str, Any]) -> dict[str, Any]:
    """The axes under normalized names.

    Raises:
        ConfigError: one is no distribution's name, or two are the same distribution's.
    """
    normalised: dict[str, Any] = {}
    for written, values in axes.items():
        try:
            name = distribution_name(written)
        except ValueError as error:
            raise ConfigError(file, "axes", f"{error}; an axis is 'python' or a distribution") from None
        if name in normalised:
            raise ConfigError(file, f"axes.{name}", f"is there twice: {quoted(written)} is another spelling of it")
        normalised[name] = values
    return normalised


def _problems(file: str, content: str, found: Sequence[tuple[str, str]]) -> ConfigError:
    """The error that names all problems, each once: pydantic names a place once for each form that its value could have."""
    places: dict[str, str] = {}
    for place, sentence in found:
        line = _line(content, place)
        places.setdefault(place, f"{sentence} (line {line})" if line else sentence)
    (place, first), *others = places.items()
    more = "".join(f"\n  {file}: {other}: {sentence}" for other, sentence in others)
    return ConfigError(file, place, first + more)


def _line(content: str, place: str) -> int | None:
    """The number of the line at which the key of a place begins, or its table; None if it is not found.

    tomllib keeps no lines, so that headers and keys are looked for as people write them.
    """
    *tables, key = re.sub(r"\[\d+\]", "", place).split(".")
    index = int(found[1]) if (found := re.match(r"\w+\[(\d+)\]\.", place)) else 0
    header, at, seen = "", None, -1
    for number, line in enumerate(content.splitlines(), 1):
        if named := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            header = named[1]
            seen += header == ".".join(tables or [key])
            at = number if header == ".".join([*tables, key]) else at
        elif (
            header == ".".join(tables)
            and (not tables or seen == index)
            and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line)
        ):
            return number
    return at


def _problem(problem: ErrorDetails, data: object) -> tuple[str, str]:
    """(place in the file, sentence) of a problem that pydantic found."""
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
    return list(map(key_of, model.model_fields))


_TABLES: dict[str, type[BaseModel]] = {
    "exclude": Exclude,
    "include": Include,
    "constraint": Constraint,
    "variants": Variants,
    "probe": ProbeSection,
    "uv": UvSources,
    "run": RunSection,
}
