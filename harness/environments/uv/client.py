"""What uv is used for: resolve, create an environment, install into it, list interpreters and versions.

No other package calls uv. Its calls are in command.py, its errors in errors.py, and the user's variables and settings that
reach it in variables.py. pyproject.toml has the supported range of uv.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.environments.installed import installed, site_packages
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.lockfile import PublishedVersion, parse_lock, parse_published, parse_pylock
from harness.environments.uv.command import call, neutral_folder, readable, write
from harness.environments.uv.run_cache import INDEX_VARIABLES, RunCache, index_settings
from harness.environments.uv.source_options import ask_index, place_variables, source_options
from harness.environments.uv.variables import environment, setting_files, source_variables
from harness.foreign_text import without_userinfo
from harness.locked import Lock, LockedDistribution
from harness.matrix.schema import UvSources
from harness.matrix.values import with_home
from harness.model import Interpreter
from harness.store import scratch
from harness.subprocesses import Supervisor

_RESOLVE_SECONDS = 300.0
_INSTALL_SECONDS = 3600.0
_DOWNLOAD_SECONDS = 3600.0
_LIST_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Uv:
    """uv with one set of sources, a `Provider`.

    Every call runs in a neutral folder, so that no project's uv.toml or pyproject.toml counts.
    """

    binary: str
    sources: UvSources
    folder: Path
    """The folder of matrix.toml; paths in `sources` are relative to it."""
    torch_backend: str | None
    """Passed as `--torch-backend`; None for the default index."""
    offline: bool
    children: Supervisor
    run_cache: RunCache | None = None
    """The cache of the solves of this run; without it each solve asks the indexes, and uses uv's usual cache."""
    temporary: Callable[[], contextlib.AbstractContextManager[Path]] = scratch.temporary
    """Makes the folder that a call runs in, and removes it."""

    def identity(self, store: Path) -> list[object]:
        """All about the sources that a resolution may depend on, JSON-able; no secrets.

        Relative paths are taken relative to `store`. So they stay the same if a folder is moved with its store, and differ
        for two matrices that share a store and have a folder `wheels` each.
        """

        def relative(place: str, folder: Path) -> str:
            is_relative = "://" not in place and not with_home(place).is_absolute()
            return os.path.relpath(folder / place, store) if is_relative else without_userinfo(place)

        sources = self.sources.model_dump(mode="json")
        for name in ("index", "find_links"):
            sources[name] = [relative(place, self.folder) for place in sources[name]]
        if self.sources.default_index:
            sources["default_index"] = relative(self.sources.default_index, self.folder)
        return [sources, self.torch_backend, source_variables(relative), setting_files()]

    def resolve(
        self,
        requirements: Sequence[str],
        python: Interpreter,
        bounds: Sequence[str] = (),
        preferred: Lock | None = None,
        overrides: Sequence[str] = (),
    ) -> Lock:
        """See Provider; the requirements are solved together."""
        with neutral_folder(self.temporary) as folder:
            needed, limits, held, locked = (folder / name for name in ("cell.in", "bounds.txt", "held.txt", "cell.txt"))
            for file, lines in ((needed, requirements), (limits, bounds), (held, overrides)):
                write(file, lines)
            if preferred is not None:
                # uv prefers the versions in its output file.
                write(locked, preferred)
            options = [f"--constraints={limits}", "--generate-hashes", "--prerelease=explicit"]
            options += [f"--override={held}"] if overrides else []
            self._compile([str(needed), f"--output-file={locked}", f"--python={python.path}", *options], folder, requirements)
            with readable():
                return parse_lock(locked.read_text(encoding="utf-8"))

    def newest(self, name: str, bounds: str, python: Interpreter) -> str | None:
        """See Provider. It raises ProviderFailure, too, if no index has the distribution."""
        return self._release(name, bounds, python)

    def oldest(self, name: str, bounds: str, python: Interpreter) -> str | None:
        """As `newest`, the oldest one."""
        return self._release(name, bounds, python, "--resolution=lowest-direct")

    def _release(self, name: str, bounds: str, python: Interpreter, *options: str) -> str | None:
        try:
            options = ("--no-deps", "--no-annotate", *options)
            text = self._compiled([f"{name}{bounds}"], "axis.txt", python, *options, requested=[name])
        except ProviderFailure as failure:
            if failure.type is FailureType.UNSATISFIABLE and not failure.unpublished:
                return None
            raise
        with readable():
            return parse_lock(text).distributions[0].version

    def published(self, requirement: str, python: Interpreter) -> PublishedVersion | None:
        """See Provider."""
        try:
            with readable():
                return parse_published(self._compiled([requirement], "pylock.toml", python, "--no-deps"))
        except ProviderFailure as failure:
            if failure.type is FailureType.UNSATISFIABLE:
                return None
            raise

    def pylock(self, lock: Lock, python: Interpreter) -> str:
        """`lock` as the text of a pylock.toml (PEP 751), with the location, the size and the upload time of every file.

        Raises:
            ProviderFailure: it cannot be made.
        """
        lines = [f"{pinned.name}=={pinned.version}" for pinned in lock.distributions]
        return self._compiled(lines, "pylock.toml", python, "--no-deps", "--prerelease=explicit")

    def _compiled(
        self, requirements: Sequence[str], output: str, python: Interpreter, *options: str, requested: Iterable[str] = ()
    ) -> str:
        """The solution for `requirements` as the text of the file `output`; its name tells uv the format."""
        with neutral_folder(self.temporary) as folder:
            needed, locked = folder / "needed.in", folder / output
            write(needed, requirements)
            form = ["--format=pylock.toml"] if output == "pylock.toml" else []
            arguments = [str(needed), f"--output-file={locked}", f"--python={python.path}", *form, *options]
            self._compile(arguments, folder, requested)
            return locked.read_text(encoding="utf-8")

    def _compile(self, arguments: Sequence[str], folder: Path, requested: Iterable[str]) -> None:
        """Run `uv pip compile` in `folder`, with the cache of this run."""
        arguments, environ = ["pip", "compile", "--quiet", "--no-header", *arguments], self._environment()
        if self.run_cache is not None and self.asks_index and not self.offline:
            try:
                arguments += [f"--cache-dir={self.run_cache.folder}"]
            except OSError as error:
                raise ProviderFailure(FailureType.INFRASTRUCTURE, f"a cache for this run cannot be made: {error}") from None
            if settings := index_settings(self.sources, self.folder):
                (folder / "uv.toml").write_text(settings, encoding="utf-8")
                environ = {name: value for name, value in environ.items() if name not in INDEX_VARIABLES}
        self._call([*arguments, *self._source_options()], folder, _RESOLVE_SECONDS, environ, requested)

    @property
    def asks_index(self) -> bool:
        """Whether any of these sources is an index, and not a folder of this machine."""
        return ask_index(self.sources)

    def released(self, name: str, version: str, python: Interpreter) -> dt.datetime | None:
        """The upload time of the first file of a published version; None if the index has no dates.

        Raises:
            ProviderFailure: the index could not be asked.
        """
        (package,) = parse_pylock(
            self.pylock(Lock(distributions=(LockedDistribution(name=name, version=version),)), python)
        ).packages
        times = [file.upload_time for file in package.wheels or ()] + [package.sdist.upload_time if package.sdist else None]
        return min((time for time in times if time), default=None)

    def create(self, folder: Path, python: Interpreter) -> None:
        """Make an empty virtual environment at `folder`."""
        with neutral_folder(self.temporary) as cwd:
            options = ["--quiet", "--no-project", "--allow-existing"]
            self._call(["venv", str(folder), f"--python={python.path}", *options], cwd, _RESOLVE_SECONDS)

    def install(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> None:
        """Make the environment at `folder` hold exactly `lock`, by hard links from uv's cache if the file system allows.

        `python` is the interpreter that the environment was made with. Given it, uv does not start the environment's own,
        which takes longer than to link a small distribution; but installed scripts then start with that interpreter.

        Raises:
            ProviderFailure: a build failed, or the network or the disk.
        """
        with neutral_folder(self.temporary) as cwd:
            locked = cwd / "lock.txt"
            write(locked, lock)
            where = [f"--python={python.path}", f"--prefix={folder}"] if python else [f"--python={folder}"]
            arguments = ["pip", "sync", str(locked), *where, "--quiet", "--require-hashes", *self._source_options()]
            self._call(arguments, cwd, _INSTALL_SECONDS, self._environment())

    def install_from_cache(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> bool:
        """As `install`, from uv's cache and folders of this machine alone; False if they lack something.

        Not if builds are allowed: a build would take its own requirements from the cache, and may fail of what that has.
        """
        if self.sources.build:
            return False
        try:
            replace(self, offline=True).install(folder, lock, python)
        except ProviderFailure:
            return False
        return True

    def installed(self, folder: Path, python: Interpreter) -> dict[str, str]:
        """See Provider."""
        return installed([site_packages(folder, python)])

    def cache_folder(self) -> Path:
        """The folder of uv's cache, which may not be there yet. Raises ProviderFailure."""
        with neutral_folder(self.temporary) as cwd:
            return Path(self._call(["cache", "dir"], cwd, _LIST_SECONDS).splitlines()[-1])

    def clean_cache(self, names: Sequence[str]) -> None:
        """Have uv remove all versions of these distributions from its cache. Raises ProviderFailure."""
        with neutral_folder(self.temporary) as cwd:
            self._call(["cache", "clean", *names], cwd, _INSTALL_SECONDS)

    def tool(self, package: str, command: Sequence[str], **extra: str) -> None:
        """Run a command of `package` in an environment that uv makes for it; `extra` are environment variables.

        Raises:
            ProviderFailure: the package cannot be downloaded, or the command failed.
        """
        with neutral_folder(self.temporary) as cwd:
            arguments = replace(self, torch_backend=None)._source_options()  # noqa: SLF001 -- of the same class
            arguments = ["tool", "run", "--quiet", *arguments, "--from", package, *command]
            self._call(arguments, cwd, _DOWNLOAD_SECONDS, self._environment(**extra))

    def interpreters(self) -> list[Interpreter]:
        """The CPythons that uv finds on this machine, those that it manages first; downloads nothing."""
        # The shims of a version manager are no interpreters, and slow: uv would start each of them and warn.
        places = [place for place in os.environ.get("PATH", "").split(os.pathsep) if Path(place).name != "shims"]
        with neutral_folder(self.temporary) as cwd:
            arguments = ["python", "list", "--only-installed", "--output-format", "json"]
            text = self._call(arguments, cwd, _LIST_SECONDS, environment(PATH=os.pathsep.join(places)))
        listed = "\n".join(itertools.dropwhile(lambda line: not line.startswith("["), text.splitlines()))
        return [
            Interpreter(version=entry["version"], path=entry["path"])
            for entry in json.loads(listed or "[]")
            if entry["implementation"] == "cpython" and entry.get("variant", "default") == "default" and entry["path"]
        ]

    def install_python(self, version: str) -> None:
        """Install a CPython where uv keeps its own, and no executable elsewhere; the user's mirror and folder for them count.

        Raises:
            ProviderFailure: it could not be downloaded, or there is none for this machine.
        """
        retries = os.environ.get("UV_HTTP_RETRIES", "1")
        with neutral_folder(self.temporary) as cwd:
            environ = environment(UV_PYTHON_DOWNLOADS="auto", UV_HTTP_RETRIES=retries)
            self._call(["python", "install", version, "--no-bin"], cwd, _DOWNLOAD_SECONDS, environ)

    def cpu_builds_answer(self, python: Interpreter, seconds: float = 2.0) -> bool:
        """Whether PyTorch's own index of CPU builds answers within `seconds`."""
        if self.offline or self.sources.no_index:
            return False
        return self._answers("torch", python, seconds, environment(), "--torch-backend=cpu")

    def indexes_answer(self, python: Interpreter, seconds: float = 2.0) -> bool:
        """Whether the indexes and folders of the matrix answer within `seconds`, without uv's cache of what they said."""
        return self._answers("numpy", python, seconds, self._environment(), "--refresh-package=numpy", *self._source_options())

    def _answers(self, name: str, python: Interpreter, seconds: float, environ: dict[str, str], *options: str) -> bool:
        with neutral_folder(self.temporary) as cwd:
            needed = cwd / "needed.in"
            write(needed, [name])
            arguments = ["pip", "compile", str(needed), "--no-deps", "--quiet", f"--python={python.path}", *options]
            try:
                self._call(arguments, cwd, seconds, {**environ, "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "2"})
            except ProviderFailure:
                return False
            return True

    def _source_options(self) -> list[str]:
        return source_options(self.sources, torch_backend=self.torch_backend, offline=self.offline)

    def _environment(self, **extra: str) -> dict[str, str]:
        return environment(**place_variables(self.sources, self.folder), **extra)

    def _call(
        self,
        arguments: Sequence[str],
        folder: Path,
        seconds: float,
        environ: Mapping[str, str] | None = None,
        requested: Iterable[str] = (),
    ) -> str:
        """See `command.call`."""
        return call(self.binary, arguments, folder, self.children, seconds=seconds, environ=environ, requested=requested)
