"""The parameters of the functions and methods of a package, read from its sources. Nothing is imported or executed.

A parameter `p` of a function `f` has the name `f(p)`, of a method `C.f(p)`; `f()` is the function itself, and `f(**)` stands
for all parameters where it takes any keyword. A function that a module imports from another one of the package is a function of
both: programs call it by the shorter name. Stubs (.pyi) are not read: what is compiled says something else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from in_sources import absolute, parsed, statements

ANY = "**"
_HOPS = 5
"""Imports one behind the other that are followed."""


def signatures(folder: Path, package: str) -> dict[str, set[str]]:
    """Module → the names of its functions with their parameters, for a package that is installed in `folder`."""
    found: dict[str, set[str]] = {}
    imported: dict[str, dict[str, tuple[str, str]]] = {}
    for path in sorted((folder / package).rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        tree = parsed(path)
        found[name] = set(_of(tree, ""))
        imported[name] = dict(_imported(tree, name if path.stem == "__init__" else name.rpartition(".")[0]))
    for module, names in imported.items():
        for name, place in names.items():
            origin, original = _origin(*place, imported)
            prefix = f"{original}("
            found[module] |= {name + own.removeprefix(original) for own in found.get(origin, ()) if own.startswith(prefix)}
    return {module: own for module, own in found.items() if own}


def _imported(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each name that a module imports from another one, with that module and its name there."""
    for statement in statements(tree.body):
        if isinstance(statement, ast.ImportFrom):
            module = absolute(statement, package)
            yield from ((alias.asname or alias.name, (module, alias.name)) for alias in statement.names if alias.name != "*")


def _origin(module: str, name: str, imported: Mapping[str, Mapping[str, tuple[str, str]]]) -> tuple[str, str]:
    """The module that defines what `module` may import itself, and the name there."""
    for _ in range(_HOPS):
        if name not in imported.get(module, {}):
            break
        module, name = imported[module][name]
    return module, name


def _of(node: ast.AST, prefix: str) -> Iterator[str]:
    """Those of a module or a class; what a function defines inside is nobody's to call."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=name, args=arguments) | ast.AsyncFunctionDef(name=name, args=arguments):
                yield from (f"{prefix}{name}({parameter})" for parameter in ["", *_parameters(arguments)])
            case ast.ClassDef(name=name):
                if any("dataclass" in ast.unparse(decorator) for decorator in child.decorator_list):
                    fields = [
                        own.target.id
                        for own in child.body
                        if isinstance(own, ast.AnnAssign) and isinstance(own.target, ast.Name)
                    ]
                    # It may inherit others.
                    yield from (f"{prefix}{name}.__init__({field})" for field in ["", *fields, *([ANY] if child.bases else [])])
                yield from _of(child, f"{prefix}{name}.")
            case ast.If() | ast.Try() | ast.With() | ast.ExceptHandler():
                yield from _of(child, prefix)
            case _:
                pass


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    yield from (one.arg for one in (*arguments.args, *arguments.kwonlyargs) if one.arg not in {"self", "cls"})
    if arguments.kwarg:
        yield ANY
