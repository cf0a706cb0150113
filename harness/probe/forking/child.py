"""The end of a fork: it leaves as the interpreter would, and how it left."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Any, Callable, NoReturn


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
    except BaseException:  # noqa: BLE001 - whatever it is, the process ends here
        traceback.print_exc()
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


def _code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1
