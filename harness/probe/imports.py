"""The stage `import`: the packages load, and work together; alone it is kind "import".

Some breakages are silent at import and would surface later under a misleading name, or as a crash, so they are looked
for here: a package built against numpy 1 under numpy 2, and a transformers that has disabled PyTorch.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import re
import sys
from typing import Any, Callable, Iterable, Iterator, Mapping

from .distributions import distributions_of
from .failures import ProbeFailure
from .joint import session_beside_torch
from .journal import Journal, StageScope


def run(job: dict[str, Any], journal: Journal) -> None:
    """Import `job["modules"]` in order, and what the probe needs, in this process."""
    import_stage(journal, then_the_probe(job["modules"], job), session_beside_torch)


def import_stage(
    journal: Journal,
    names: Iterable[str],
    measure: Callable[[StageScope], Mapping[str, Any]] = lambda _stage: {},
    subject: str | None = None,
) -> bool:
    """Record the stage `import` and return whether all of `names` loaded and work together.

    Each is asked for once those before it are imported. `measure` is called at last, and returns what else the stage's
    data shall hold.
    """
    with journal.stage("import", subject) as stage:
        versions: dict[str, str | None] = {}
        stage.data["versions"] = versions
        for name in names:
            if name not in versions:
                versions[name] = _version(import_module(name))
        stage.data.update(measure(stage))
    return stage.works


def then_the_probe(names: Iterable[str], job: dict[str, Any]) -> Iterator[str]:
    """Yield `names`, then what the job's probe imports: it is not to be loaded before numpy, which every probe needs."""
    yield from names
    yield from load_probe(job).imports


def load_probe(job: dict[str, Any]) -> Any:
    """Return the job's probe; see `then_the_probe`."""
    return importlib.import_module(".protocol", __package__).load(job["probe"]["path"])


def import_module(name: str) -> Any:
    """Import and return one module, which may be a submodule.

    ProbeFailure, naming the module, where that fails or where the module's package is silently broken.
    """
    package = name.partition(".")[0]
    with _listening(package) as spoken:
        try:
            module = importlib.import_module(name)
            check = _CHECKS.get(package)
            if check is not None:
                check(sys.modules[package], spoken)
        except ProbeFailure:
            raise
        except ModuleNotFoundError as exc:
            if exc.name == package and importlib.util.find_spec(package) is None:
                raise  # the probe asks for a package that nothing in the matrix brings along
            raise _failure(name, exc, spoken) from exc
        except (Exception, SystemExit) as exc:
            raise _failure(name, exc, spoken) from exc
    return module


def _version(module: Any) -> str | None:
    """Return the version that the module states, or that of the distribution that brings it; None where there is neither.

    Only a record: whatever a module makes of the question, it has been imported.
    """
    with contextlib.suppress(Exception):  # a module may answer for its attributes by itself
        if isinstance(module.__version__, str):
            return str(module.__version__)
    return ", ".join(distributions_of(module).values()) or None


def _failure(name: str, exc: BaseException, spoken: _Spoken) -> ProbeFailure:
    reasons = [f"{type(exc).__name__}: {exc}", spoken.numpy_clash()]
    return ProbeFailure(f"import {name}: " + "; ".join(filter(None, reasons)), exc)


@contextlib.contextmanager
def _listening(name: str) -> Iterator[_Spoken]:
    """Keep what the package `name` says while the block runs, on its logger and on stderr; it is still said there."""
    spoken = _Spoken()
    logger = logging.getLogger(name)
    logger.addHandler(spoken)
    try:
        with contextlib.redirect_stderr(spoken.stderr):
            yield spoken
    finally:
        logger.removeHandler(spoken)


class _Spoken(logging.Handler):
    """What a package said. Some explain only in this way what is wrong with them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.stderr = _Tee(sys.stderr)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message of one log record."""
        self.lines.append(record.getMessage())

    def numpy_clash(self) -> str:
        """Return numpy 2's complaint about a module that was built for numpy 1; empty where there was none."""
        text = " ".join(self.stderr.getvalue().split())
        found = re.search(r"A module that was compiled using NumPy 1\.x cannot.*? may crash", text)
        return found.group() if found else ""


class _Tee(io.StringIO):
    """Keeps what is written and passes it on."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self._target = target

    def write(self, text: str) -> int:
        """Write `text` to both."""
        self._target.write(text)
        return super().write(text)


def _check_torch(torch: Any, _spoken: _Spoken) -> None:
    try:
        torch.zeros(1).numpy()
    except RuntimeError as exc:
        message = f"import torch: it cannot exchange arrays with the installed numpy: {exc}"
        raise ProbeFailure(message, exc) from exc


def _check_transformers(transformers: Any, spoken: _Spoken) -> None:
    if not transformers.utils.is_torch_available():
        reason = "; ".join(line for line in spoken.lines if "PyTorch" in line)
        message = f"import transformers: {reason or 'it reports that PyTorch is not available'}"
        raise ProbeFailure(message)
    # transformers imports its models when they are touched, so this is where a torch that is too old shows.
    _ = transformers.MarianMTModel


def _check_onnxruntime(_onnxruntime: Any, spoken: _Spoken) -> None:
    clash = spoken.numpy_clash()
    if clash:  # 1.16 imports all the same, loads models, and crashes at the first array
        message = f"import onnxruntime: {clash}"
        raise ProbeFailure(message)


_CHECKS: dict[str, Callable[[Any, _Spoken], None]] = {
    "torch": _check_torch,
    "transformers": _check_transformers,
    "onnxruntime": _check_onnxruntime,
}
