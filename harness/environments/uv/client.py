"""The only room that calls uv: resolve, create an environment, install into it, list interpreters and versions.

What a failure of it means is said in errors.py, what of the user's own reaches it in variables.py. The supported
range of uv is pinned in pyproject.toml.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.environments.lockfile import Published, lock_text, parse_lock, parse_published, parse_pylock, requirements_text
from harness.environments.uv.errors import Trouble, UvFailure, classify, unpublished
from harness.environments.uv.run_cache import INDEX_VARIABLES, RunCache, index_settings
from harness.environments.uv.variables import anchored, environment, setting_files, source_variables, without_password
from harness.errors import UvError
from harness.foreign_text import redacted
from harness.matrix.schema import UvSources
from harness.matrix.values import with_home
from harness.model import Interpreter, Lock, LockedDistribution
from harness.store import scratch
from harness.subprocesses import ExitReason, Supervisor, temporary_in

RESOLVE_SECONDS = 300.0
INSTALL_SECONDS = 3600.0
DOWNLOAD_SECONDS = 3600.0
MEMORY = 16 * 10**9


def find_uv() -> str:
    """The binary that the `uv` package ships.

    Raises:
        UvError: the package is not installed beside the harness.
    """
    try:
        import uv  # noqa: PLC0415 -- a missing uv must give a sentence, not a traceback at import

        return os.fsdecode(uv.find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise UvError(f"uv was not found ({error}); install it beside the harness: pip install uv") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Uv:
    """uv with one set of sources.

    Every call runs in a neutral folder, so that no project's uv.toml or pyproject.toml leaks in.
    """

    binary: str
    sources: UvSources
    folder: Path
    """Where relative paths in `sources` start: the folder of matrix.toml."""
    torch_backend: str | None
    """Passed as `--torch-backend`; None for the default index."""
    offline: bool
    children: Supervisor
    run_cache: RunCache | None = None
    """Where solves keep what an index answered in this run; None for uv's usual cache, and an index asked by each solve."""
    temporary: Callable[[], contextlib.AbstractContextManager[Path]] = scratch.temporary
    """Makes the folder that a call runs in, and removes it."""

    def with_torch_backend(self, backend: str | None) -> Uv:
        """The same sources with torch from another backend."""
        return replace(self, torch_backend=backend)

    @property
    def cached(self) -> Uv:
        """The same without the network: what uv's cache holds, and folders on this machine."""
        return replace(self, offline=True)

    def identity(self, store: Path) -> list[object]:
        """Everything about the sources that a resolution may depend on, JSON-able; no secrets.

        Relative places count as seen from `store`: what moves with its store stays the same, and two matrices that keep
        their results in one store do not take one's `wheels` for the other's.
        """

        def seen(place: str, folder: Path) -> str:
            inside = "://" not in place and not with_home(place).is_absolute()
            return os.path.relpath(folder / place, store) if inside else without_password(place)

        sources = self.sources.model_dump(mode="json")
        for name in ("index", "find_links"):
            sources[name] = [seen(place, self.folder) for place in sources[name]]
        if self.sources.default_index:
            sources["default_index"] = seen(self.sources.default_index, self.folder)
        return [sources, self.torch_backend, source_variables(seen), setting_files()]

    def resolve(
        self, requirements: Sequence[str], python: Interpreter, bounds: Sequence[str] = (), preferred: Lock | None = None
    ) -> Lock:
        """All distributions that `requirements` need, within `bounds`, in one solve, with hashes and who requires what.

        The versions of `preferred` are kept where a solution has room for them.

        Raises:
            UvFailure: there is no solution, or it could not be found out.
        """
        with self._neutral() as folder:
            wanted, limits, locked = folder / "cell.in", folder / "bounds.txt", folder / "cell.txt"
            _write(wanted, requirements)
            _write(limits, bounds)
            if preferred is not None:
                # uv keeps to what its output file says already.
                _write(locked, preferred)
            options = [f"--constraints={limits}", "--generate-hashes", "--prerelease=explicit"]
            self._compile([str(wanted), f"--output-file={locked}", f"--python={python.path}", *options], folder)
            with _readable():
                return parse_lock(locked.read_text(encoding="utf-8"))

    def newest(self, name: str, bounds: str, python: Interpreter) -> str | None:
        """The newest published version of `name` within `bounds` that `python` can install, or None."""
        try:
            text = self._compiled([f"{name}{bounds}"], "axis.txt", python, "--no-deps", "--no-annotate")
        except UvFailure as failure:
            if failure.trouble is Trouble.UNSATISFIABLE and not unpublished(str(failure), [name]):
                return None
            raise
        with _readable():
            return parse_lock(text).distributions[0].version

    def published(self, requirement: str, python: Interpreter) -> Published | None:
        """The newest version that satisfies `requirement` and that `python` can install, or None.

        Raises:
            UvFailure: it could not be found out.
        """
        try:
            with _readable():
                return parse_published(self._compiled([requirement], "pylock.toml", python, "--no-deps"))
        except UvFailure as failure:
            if failure.trouble is Trouble.UNSATISFIABLE:
                return None
            raise

    def pylock(self, lock: Lock, python: Interpreter) -> str:
        """`lock` as the text of a pylock.toml (PEP 751), with the place, the size and the upload time of every file.

        Raises:
            UvFailure: it cannot be made.
        """
        lines = [f"{one.name}=={one.version}" for one in lock.distributions]
        return self._compiled(lines, "pylock.toml", python, "--no-deps", "--prerelease=explicit")

    def _compiled(self, requirements: Sequence[str], output: str, python: Interpreter, *options: str) -> str:
        """What uv makes of `requirements`, as the text of the file `output`, whose name tells uv the format."""
        with self._neutral() as folder:
            wanted, locked = folder / "wanted.in", folder / output
            _write(wanted, requirements)
            form = ["--format=pylock.toml"] if output == "pylock.toml" else []
            self._compile([str(wanted), f"--output-file={locked}", f"--python={python.path}", *form, *options], folder)
            return locked.read_text(encoding="utf-8")

    def _compile(self, arguments: Sequence[str], folder: Path) -> None:
        """`uv pip compile` in `folder`, with what indexes have answered in this run at hand."""
        arguments, environ = ["pip", "compile", "--quiet", "--no-header", *arguments], environment()
        if self.run_cache is not None and self.asks_index and not self.offline:
            try:
                arguments += [f"--cache-dir={self.run_cache.folder}"]
            except OSError as error:
                raise UvFailure(Trouble.INFRASTRUCTURE, f"a cache for this run cannot be made: {error}") from None
            if settings := index_settings(self.sources, self.folder):
                (folder / "uv.toml").write_text(settings, encoding="utf-8")
                environ = {name: value for name, value in environ.items() if name not in INDEX_VARIABLES}
                self._call([*arguments, *self._source_arguments(indexes=False)], folder, RESOLVE_SECONDS, environ)
                return
        self._call([*arguments, *self._source_arguments()], folder, RESOLVE_SECONDS, environ)

    @property
    def asks_index(self) -> bool:
        """Whether what these sources offer lies anywhere but in folders of this machine, so that it must be asked for."""
        places = [*self.sources.find_links, *os.environ.get("UV_FIND_LINKS", "").split(",")]
        return not self.sources.no_index or any("://" in place for place in places)

    def released(self, name: str, version: str, python: Interpreter) -> dt.datetime | None:
        """When the first file of a published version was uploaded; None where the index does not say.

        Raises:
            UvFailure: the index could not be asked.
        """
        (package,) = parse_pylock(
            self.pylock(Lock(distributions=(LockedDistribution(name=name, version=version),)), python)
        ).packages
        times = [file.upload_time for file in package.wheels or ()] + [package.sdist.upload_time if package.sdist else None]
        return min((time for time in times if time), default=None)

    def create(self, folder: Path, python: Interpreter) -> None:
        """Make an empty virtual environment at `folder`."""
        with self._neutral() as cwd:
            self._call(
                ["venv", str(folder), f"--python={python.path}", "--quiet", "--no-project", "--allow-existing"],
                cwd,
                RESOLVE_SECONDS,
            )

    def install(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> None:
        """Make the environment at `folder` hold exactly `lock`, by hard link from uv's cache where the filesystem allows.

        `python` is the interpreter that the environment was made of. With it uv need not ask the environment's own, which takes
        longer than to link a small distribution; but scripts that are installed then begin with that interpreter.

        Raises:
            UvFailure: a build failed, or the network or disk did not play along.
        """
        with self._neutral() as cwd:
            locked = cwd / "lock.txt"
            _write(locked, lock)
            where = [f"--python={python.path}", f"--prefix={folder}"] if python else [f"--python={folder}"]
            arguments = ["pip", "sync", str(locked), *where, "--quiet", "--require-hashes", *self._source_arguments()]
            self._call(arguments, cwd, INSTALL_SECONDS)

    def tool(self, package: str, command: Sequence[str], **extra: str) -> None:
        """Run a command of `package` in an environment that uv makes for it; `extra` are environment variables.

        Raises:
            UvFailure: it cannot be got, or it failed.
        """
        with self._neutral() as cwd:
            arguments = self.with_torch_backend(None)._source_arguments()  # noqa: SLF001 -- of the same class
            self._call(
                ["tool", "run", "--quiet", *arguments, "--from", package, *command], cwd, DOWNLOAD_SECONDS, environment(**extra)
            )

    def interpreters(self) -> list[Interpreter]:
        """The CPythons uv finds on this machine, its own managed ones first; asks no network and downloads nothing."""
        # A version manager's shims are slow, and no interpreters: uv would start each of them and warn.
        places = [place for place in os.environ.get("PATH", "").split(os.pathsep) if Path(place).name != "shims"]
        with self._neutral() as cwd:
            arguments = ["python", "list", "--only-installed", "--output-format", "json"]
            text = self._call(arguments, cwd, 30.0, environment(PATH=os.pathsep.join(places)))
        listed = "\n".join(itertools.dropwhile(lambda line: not line.startswith("["), text.splitlines()))
        return [
            Interpreter(version=entry["version"], path=entry["path"])
            for entry in json.loads(listed or "[]")
            if entry["implementation"] == "cpython" and entry.get("variant", "default") == "default" and entry["path"]
        ]

    def cpu_builds_answer(self, python: Interpreter, seconds: float = 2.0) -> bool:
        """Whether PyTorch's own index of CPU builds answers within `seconds`."""
        if self.offline or self.sources.no_index:
            return False
        with self._neutral() as cwd:
            wanted = cwd / "torch.in"
            _write(wanted, ["torch"])
            options = ["--no-deps", "--quiet", f"--python={python.path}", "--torch-backend=cpu"]
            arguments = ["pip", "compile", str(wanted), *options]
            try:
                self._call(arguments, cwd, seconds, environment(UV_HTTP_RETRIES="0", UV_HTTP_TIMEOUT="2"))
            except UvFailure:
                return False
            return True

    @contextlib.contextmanager
    def _neutral(self) -> Iterator[Path]:
        """A folder with settings that say nothing: uv takes the first that it finds there and in the folders above."""
        with self.temporary() as folder:
            (folder / "uv.toml").touch()
            (folder / "tmp").mkdir()
            yield folder

    def _source_arguments(self, *, indexes: bool = True) -> list[str]:
        """Options that say where distributions come from; those for `indexes` stand in a uv.toml otherwise.

        An option and its value are one word: no value can be an option.
        """
        sources, folder = self.sources, self.folder
        arguments = [f"--index={anchored(index, folder)}" for index in sources.index if indexes]
        arguments += [f"--find-links={anchored(place, folder)}" for place in sources.find_links]
        arguments += [f"--default-index={anchored(sources.default_index, folder)}"] if sources.default_index and indexes else []
        arguments += ["--no-index"] if sources.no_index else []
        arguments += [f"--exclude-newer={sources.exclude_newer}"] if sources.exclude_newer else []
        arguments += [] if sources.build else ["--no-build"]
        arguments += [f"--torch-backend={self.torch_backend}"] if self.torch_backend else []
        return arguments + (["--offline"] if self.offline else [])

    def _call(self, arguments: Sequence[str], cwd: Path, seconds: float, environ: Mapping[str, str] | None = None) -> str:
        """Run uv and return what it printed; raises UvFailure where its exit code is not 0."""
        log = cwd / "uv.log"
        ended = self.children.run(
            # Before the command: `uv tool run` would hand what follows to the tool.
            [self.binary, "--color", "never", "--no-progress", *arguments],
            env={**(environment() if environ is None else environ), **temporary_in(cwd / "tmp")},
            cwd=cwd,
            log=log,
            time_limit=seconds,
            memory_limit=MEMORY,
        )
        text = redacted(log.read_text(encoding="utf-8", errors="replace").strip())
        if ended.ending is not ExitReason.EXITED:
            raise UvFailure(
                Trouble.INFRASTRUCTURE, f"uv {arguments[0]} {arguments[1]}: {ended.ending} after {seconds:g} s\n{text}"
            )
        if ended.code < 0:
            raise UvFailure(Trouble.INFRASTRUCTURE, f"uv was killed by signal {-ended.code}\n{text}")
        if ended.code:
            raise UvFailure(classify(text), text or f"uv exited with code {ended.code} and said nothing")
        return text


def _write(path: Path, content: Lock | Iterable[str]) -> None:
    """Write a file that uv reads: a lock, or requirements. Nothing else writes such a file.

    Raises:
        UvError: a line would be anything but one requirement of a distribution that an index has.
    """
    try:
        text = lock_text(content) if isinstance(content, Lock) else requirements_text(content)
    except ValueError as error:
        raise UvError(f"a requirement is not handed to uv: {error}") from None
    path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Take output of uv that cannot be read for trouble, not for a fact about versions."""
    try:
        yield
    except ValueError as error:
        raise UvFailure(Trouble.INFRASTRUCTURE, f"what uv wrote cannot be read: {error}") from None
