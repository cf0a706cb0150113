# PYTHON_ARGCOMPLETE_OK
"""`python -m harness`."""

import os
import sys


def _other_folders(path: list[str]) -> list[str]:
    """`path` without the current folder, which `-m` and an empty entry of PYTHONPATH put before everything installed.

    It may be anybody's checkout, and hold a `rich.py`. If this program lies in it, it comes last instead: processes of dask
    import the program anew. That it is not in front is enough there, since its code is run anyway.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 -- pathlib would be imported from there
    except OSError:  # it was removed, and nothing can be imported from it
        return path
    library = os.path.dirname(os.__file__)  # noqa: PTH120
    named = path[: path.index(library)] if library in path else path[:1]
    others = [folder for folder in named if folder not in {here, ""}] + path[len(named) :]
    holds_this = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == here  # noqa: PTH100, PTH120
    return [*others, here] if holds_this and here not in others else others


sys.path[:] = _other_folders(sys.path)

try:
    from harness.cli import main
except KeyboardInterrupt:  # `main` says how Ctrl-C ends a command, and is not there yet
    sys.stderr.write("interrupted\n")
    sys.exit(130)

if __name__ == "__main__":  # a process that dask starts imports this file too
    sys.exit(main())
