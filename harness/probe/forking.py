"""What a fork does and nothing more."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, Callable, NoReturn


def leave_with(action: Callable[..., Any], *arguments: Any) -> NoReturn:
    """Do it and leave the process, never to come back into the parent's code."""
    code = 1
    try:
        action(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
