"""The stage `import`: the packages load, and work together. On its own it is the job kind "import".

Some breakages are silent at import, and would surface later under a misleading name or as a crash. So the stage looks for
them: a package built against numpy 1 under numpy 2, and a transformers that has disabled PyTorch.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import re
import sys
from typing import Any, Callable, Iterable, Iterator

from .distributions import distributions_of
from .joint_session import run_joint_session
from .journal import Journal, StageScope
from .messages import text_of, with_class
from .outcome import ProbeFailure
from .wire import ExportJob, ForkServerJob, ImportJob, RunJob


def run(job: ImportJob, journal: Journal) -> None:
    """Import `job["modules"]` in order, and what the probe needs, in this process."""
    import_stage(journal, with_probe_imports(job["modules"], job), run_joint_session)


def import_stage(
    journal: Journal,
    names: Iterable[str],
    then: Callable[[StageScope], None] = lambda _stage: None,
    subject: str | None = None,
) -> bool:
    """Record the stage `import` and return whether all of `names` loaded and work together.

    A name is taken from `names` after those before it are imported. `then` is called last, as a part of the stage.
    """
    with journal.stage("import", subject) as stage:
        versions: dict[str, str | None] = {}
        stage.data["versions"] = versions
        for name in names:
            if name not in versions:
                versions[name] = _version(import_module(name))
        then(stage)
    return stage.works


def with_probe_imports(names: Iterable[str], job: ImportJob | ExportJob | ForkServerJob) -> Iterator[str]:
    """Yield `names`, then what the job's probe imports. The probe is loaded after numpy, which it imports itself."""
    yield from names
    yield from load_probe(job).imports


def load_probe(job: ImportJob | ExportJob | RunJob | ForkServerJob) -> Any:
    """Return the job's probe (protocol.Probe)."""
    return importlib.import_module(".protocol", __package__).load(job["probe"]["path"])


def import_module(name: str) -> Any:
    """Import and return one module, which may be a submodule.

    ProbeFailure, naming the module, if that fails or if the module's package is silently broken.
    """
    package = name.partition(".")[0]
    with _recorded(package) as output:
        try:
            module = importlib.import_module(name)
            check = _CHECKS.get(package)
            if check is not None:
                check(sys.modules[package], output)
        except ProbeFailure:
            raise
        except (Exception, SystemExit) as exc:
            if isinstance(exc, ModuleNotFoundError) and exc.name == package and importlib.util.find_spec(package) is None:
                raise  # the probe needs a package that nothing in the matrix provides
            reasons = [with_class(exc), output.numpy_clash()]
            raise ProbeFailure(f"import {name}: " + "; ".join(filter(None, reasons)), exc) from exc
    return module


def _version(module: Any) -> str | None:
    """Return the module's own version, or that of its distribution; None if there is neither.

    Only a record: if it cannot be read, the module is imported all the same.
    """
    with contextlib.suppress(Exception):  # a module may have code for its attributes
        if isinstance(module.__version__, str):
            return str(module.__version__)
    return ", ".join(distributions_of(module).values()) or None


@contextlib.contextmanager
def _recorded(package: str) -> Iterator[_PackageOutput]:
    """Record what `package` logs and writes to stderr while the block runs; it still appears there."""
    output = _PackageOutput(sys.stderr)
    logger = logging.getLogger(package)
    logger.addHandler(output.handler)
    try:
        with contextlib.redirect_stderr(output):
            yield output
    finally:
        logger.removeHandler(output.handler)


class _PackageOutput(io.StringIO):
    """What a package wrote to stderr, and its log. Some packages report only in this way what is wrong with them."""

    def __init__(self, stderr: Any) -> None:
        super().__init__()
        self._stderr = stderr
        self.log: list[str] = []
        self.handler = logging.Handler(logging.WARNING)
        self.handler.emit = lambda record: self.log.append(record.getMessage())  # type: ignore[method-assign]

    def write(self, text: str) -> int:
        """Write `text`, to stderr too."""
        self._stderr.write(text)
        return super().write(text)

    def numpy_clash(self) -> str:
        """Return numpy 2's complaint about a module that was built for numpy 1; empty if there was none."""
        text = " ".join(self.getvalue().split())
        found = re.search(r"A module that was compiled using NumPy 1\.x cannot.*? may crash", text)
        return found.group() if found else ""


def _check_torch(torch: Any, _output: _PackageOutput) -> None:
    try:
        torch.zeros(1).numpy()
    except RuntimeError as exc:
        message = f"import torch: it cannot exchange arrays with the installed numpy: {text_of(exc)}"
        raise ProbeFailure(message, exc) from exc


def _check_transformers(transformers: Any, output: _PackageOutput) -> None:
    if not transformers.utils.is_torch_available():
        reason = "; ".join(line for line in output.log if "PyTorch" in line)
        message = f"import transformers: {reason or 'it reports that PyTorch is not available'}"
        raise ProbeFailure(message)
    # transformers imports its models on first use, so a torch that is too old shows here.
    _ = transformers.MarianMTModel


def _check_onnxruntime(_onnxruntime: Any, output: _PackageOutput) -> None:
    clash = output.numpy_clash()
    if clash:  # 1.16 imports all the same, loads models, and crashes at the first array
        message = f"import onnxruntime: {clash}"
        raise ProbeFailure(message)


_CHECKS: dict[str, Callable[[Any, _PackageOutput], None]] = {
    "torch": _check_torch,
    "transformers": _check_transformers,
    "onnxruntime": _check_onnxruntime,
}
