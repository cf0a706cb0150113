"""Kind "import", and the `import` stage of every other kind: do the packages load, and do they load each other?

Two breakages are silent at import and would surface later under a misleading name, so they are looked for here:
a torch built against numpy 1 under numpy 2, and a transformers that has disabled PyTorch.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from typing import Any, Callable, Dict, List, Sequence

from .failures import ProbeFailure
from .journal import Journal


def run(job: Dict[str, Any], journal: Journal) -> None:
    """Import `job["modules"]` in order, in this process."""
    import_stage(journal, job["modules"])


def import_stage(journal: Journal, names: Sequence[str]) -> bool:
    """Record the stage `import` and return whether all of `names` loaded and work together."""
    with journal.stage("import") as stage:
        versions: Dict[str, Any] = {}
        stage.data["versions"] = versions
        for name in names:
            try:
                versions[name] = _import(name)
            except ProbeFailure:
                raise
            except (Exception, SystemExit) as exc:
                message = f"import {name}: {type(exc).__name__}: {exc}"
                raise ProbeFailure(message, exc) from exc
    return stage.works


def _import(name: str) -> Any:
    """Import one module, look for its silent breakages and return its version."""
    with _LogLines(name) as lines:
        module = importlib.import_module(name)
        check = _CHECKS.get(name)
        if check is not None:
            check(module, lines)
    version = getattr(module, "__version__", None)
    return str(version) if version is not None else importlib.metadata.version(name)


def _check_torch(torch: Any, _lines: List[str]) -> None:
    try:
        torch.zeros(1).numpy()
    except RuntimeError as exc:
        message = f"import torch: it cannot exchange arrays with the installed numpy: {exc}"
        raise ProbeFailure(message, exc) from exc


def _check_transformers(transformers: Any, lines: List[str]) -> None:
    if not transformers.utils.is_torch_available():
        reason = " ".join(line for line in lines if "PyTorch" in line)
        message = f"import transformers: {reason or 'it reports that PyTorch is not available'}"
        raise ProbeFailure(message)
    # transformers imports its models when they are touched, so this is where a torch that is too old shows.
    _ = transformers.MarianMTModel


_CHECKS: Dict[str, Callable[[Any, List[str]], None]] = {
    "torch": _check_torch,
    "transformers": _check_transformers,
}


class _LogLines(logging.Handler):
    """Collects what the logger `name` says while the block runs: some packages explain themselves only there."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.WARNING)
        self._logger = logging.getLogger(name)
        self._lines: List[str] = []

    def __enter__(self) -> List[str]:
        self._logger.addHandler(self)
        return self._lines

    def __exit__(self, *_exc: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the formatted message of one record."""
        self._lines.append(record.getMessage())
