"""Compiles the sources that are named on its standard input, one a line; executes nothing of them.

    python bytecode_service.py COMPILED ROOT …

It takes files of the ROOTs alone, and appends the names of those that it has compiled to COMPILED. If its input is a socket, it
answers each line there with one byte: 1 if the bytecode is in its place. Python 3.8.
"""

from __future__ import annotations

import os
import py_compile
import stat
import sys
from pathlib import Path


def compiled(path: str, roots: tuple[str, ...]) -> bool:
    """Whether `path` is the plain name of a source in one of `roots`, and its bytecode is in its place now."""
    if not (path.endswith(".py") and path.startswith(roots) and path.isprintable() and os.path.normpath(path) == path):
        return False
    if Path(path).name == ".py":  # its bytecode would lie where that of py.py does
        return False
    try:
        py_compile.compile(path, doraise=True)
    except Exception:  # noqa: BLE001 - a source may have anything
        return False
    return True


def main() -> None:
    """Serve until the input ends."""
    answers = stat.S_ISSOCK(os.fstat(0).st_mode)
    roots = tuple(root + os.sep for root in sys.argv[2:])
    with Path(sys.argv[1]).open("ab", buffering=0) as made, os.fdopen(0, "rb") as lines:
        for line in lines:
            done = compiled(os.fsdecode(line[:-1]), roots)
            if done:
                made.write(line)
            if answers:
                os.write(0, b"1" if done else b"0")


main()
