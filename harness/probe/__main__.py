"""Start the probe: `python -I …/probe/__main__.py JOB.json`.

`-I` keeps this folder off `sys.path`, and it must stay off: a file here that is named like a package under test would
shadow it. So the folder is registered as a package under a name that is not published anywhere.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path

PACKAGE = "harness_probe"


def _register_package() -> None:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        message = f"{folder} cannot be loaded as a package"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def settle() -> None:
    """Set what a process inherits besides variables: umask, and no core dumps."""
    os.umask(0o022)
    with contextlib.suppress(ImportError, ValueError, OSError):
        resource = importlib.import_module("resource")
        # Core dumps would fill the disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    settle()
    _register_package()
    importlib.import_module(PACKAGE + ".forking.process_control").die_with_the_parent()
    # Packages that read options of the program they are in must not read the probe's.
    job = sys.argv.pop()
    importlib.import_module(PACKAGE + ".dispatch").main(job)
