"""Processes and their parents: die with the parent, adopt orphans (Linux prctl), list children, leave a fork."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Callable, NoReturn

from ..wire import FAILED_ITSELF

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_the_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies (Linux only); each fork has to ask again."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux only); each fork has to ask again."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Return the ids of this process' children (Linux only, if its kernel lists them)."""
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        return set()
    lists = [thread / "children" for thread in threads.iterdir()]
    return {int(child) for path in lists if path.exists() for child in path.read_text().split()}


def leave_with(action: Callable[..., Any], *arguments: Any) -> NoReturn:
    """Call `action` and leave the process as the interpreter would; never return into the parent's code."""
    code = 1
    try:
        action(*arguments)
        code = 0
    except SystemExit as error:
        code = _code(error)
    except KeyboardInterrupt:
        traceback.print_exc()
        code = -signal.SIGINT
    except BaseException:  # noqa: BLE001 - what a package raises ends in its stage; this is the probe's own
        traceback.print_exc()
        code = FAILED_ITSELF
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)


def exit_code(status: int) -> int:
    """Return the exit code in a status of `os.waitpid`; negative for a signal."""
    # os.waitstatus_to_exitcode needs Python 3.9.
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def _code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1
