"""The names that the modules of a package define, read from its sources. Nothing is imported or executed.

    python in_sources.py FOLDER PACKAGE    prints {module: [name, …]} as JSON

A name counts wherever a module binds it outside of functions and classes: in a condition, too, since that is how packages
offer what they import lazily (`if TYPE_CHECKING`). Stubs (.pyi) stand for what is compiled. A name that a module sets in
another way is missing here: tests compare the result with packages that were imported.
"""

from __future__ import annotations

import ast
import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

COMPILED = {"torch": ("torch._C", "torch._C._VariableFunctions")}
"""Package → its compiled modules whose names it takes over one by one, which no source shows."""


@dataclass
class Module:
    """What a module binds."""

    names: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)
    """The modules of which it imports all names."""
    listed: set[str] | None = None
    """Its `__all__`, as far as that is written out."""


def modules(folder: Path, package: str) -> dict[str, set[str]]:
    """Module → the names that it defines, for a package that is installed in `folder`."""
    found: dict[str, Module] = {}
    for path in sorted((folder / package).rglob("*.py*")):
        if path.suffix in {".py", ".pyi"}:
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            name = name.removesuffix(".__init__")
            read = _module(path, name)
            known = found.setdefault(name, Module())
            known.names |= read.names
            known.stars += read.stars
            known.listed = read.listed if read.listed is not None else known.listed
    for name in COMPILED.get(package, ()):
        found[package].stars.append(name)
    for name in list(found):
        parent, _, own = name.rpartition(".")
        if parent in found:
            found[parent].names.add(own)
    # Stars may go round in circles: what one brings is passed on until nothing is new.
    fresh = [module for module in found.values() if module.stars]
    while fresh:
        sizes = [len(module.names) for module in fresh]
        for module in fresh:
            module.names.update(*(_offered(found[star]) for star in module.stars if star in found))
        if sizes == [len(module.names) for module in fresh]:
            break
    return {name: module.names for name, module in found.items()}


def parsed(path: Path) -> ast.Module:
    """The syntax of a source; an empty module if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _module(path: Path, name: str) -> Module:
    module = Module()
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for statement in statements(parsed(path).body):
        _read(statement, module, package)
    return module


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at the import, those in conditions too."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for part in ("body", "orelse", "finalbody"):
            yield from statements(getattr(statement, part, None) or [])
        for handler in getattr(statement, "handlers", ()):
            yield from statements(handler.body)


def _read(statement: ast.stmt, module: Module, package: str) -> None:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            module.names.add(name)
        case ast.Import(names=aliases):
            module.names |= {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.ImportFrom(names=aliases):
            module.names |= {alias.asname or alias.name for alias in aliases if alias.name != "*"}
            if any(alias.name == "*" for alias in aliases):
                module.stars.append(absolute(statement, package))
        case ast.Assign(targets=targets):
            for target in targets:
                _bind(target, statement.value, module)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            _bind(target, statement.value, module)
        case ast.For(target=target):
            _bind(target, None, module)
        case ast.With(items=entered):
            for item in entered:
                if item.optional_vars is not None:
                    _bind(item.optional_vars, None, module)


def _bind(target: ast.expr, value: ast.expr | None, module: Module) -> None:
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            module.names.add(node.id)
    if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(value, (ast.List, ast.Tuple)):
        written = {item.value for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)}
        module.listed = written | (module.listed or set())
    structure = target.value if isinstance(target, ast.Subscript) else target
    if isinstance(structure, ast.Name) and structure.id == "_import_structure" and value is not None:
        module.names |= set(_lazy(target, value))


def _lazy(target: ast.expr, value: ast.expr) -> Iterator[str]:
    """The names that the lists of a transformers `_import_structure` have."""
    lists = [value] if isinstance(target, ast.Subscript) else value.values if isinstance(value, ast.Dict) else []
    for found in lists:
        if isinstance(found, (ast.List, ast.Tuple)):
            yield from (item.value for item in found.elts if isinstance(item, ast.Constant) and isinstance(item.value, str))


def absolute(statement: ast.ImportFrom, package: str) -> str:
    """The module that a statement in `package` imports from."""
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    parts = parts[: len(parts) - statement.level + 1]
    return ".".join([*parts, *filter(None, [statement.module])])


def _offered(module: Module) -> set[str]:
    """The names that a star takes from a module."""
    return {name for name in module.names if not name.startswith("_")} if module.listed is None else module.listed


if __name__ == "__main__":
    folder, package = sys.argv[1:]
    json.dump({name: sorted(own) for name, own in modules(Path(folder), package).items()}, sys.stdout)
