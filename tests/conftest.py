"""What all tests share: the fake probe in place, uv's cache in a temporary folder, and projects to run the harness on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import copied_installs
import noted
import pytest
from project import Project
from strict_skips import pytest_addoption, pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401 -- hooks

from harness import foreign_text
from harness.environments.uv import variables
from harness.execution.process import sandbox
from harness.tasks import keys

MEMORY = Path("/dev/shm")
"""A file system in memory, where Linux has it."""
ROOM = 4 * 2**30
"""Bytes, more than all fast tests together leave."""

FAKE_PROBE = Path(__file__).parent / "fake_probe" / "__main__.py"


def pytest_configure(config: pytest.Config) -> None:
    """Have temporary folders in memory where there is room for them: most of what the fast tests do is to write small files."""
    if config.option.markexpr == "not real" and MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        status = os.statvfs(MEMORY)
        if status.f_bavail * status.f_frsize >= ROOM and not status.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A file stays on one worker: what its tests share is a run of the harness, and costs seconds.

    In the order of their names: those in pipeline/ come before the short ones in unit/, which fill the rest of the time.
    """
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A uv cache of our own, which all fast tests share, whichever worker does them."""
    base = tmp_path_factory.getbasetemp()
    # A worker's folder lies in that of the session.
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "uv-cache"
    cache.mkdir(exist_ok=True)
    return cache


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets of places are those of one test."""
    monkeypatch.setattr(foreign_text, "PLACE_SECRETS", foreign_text.PlaceSecrets())
    monkeypatch.setattr(variables, "PLACE_SECRETS", foreign_text.PLACE_SECRETS)


@pytest.fixture(scope="module", autouse=True)
def _surroundings(uv_cache: Path) -> Iterator[None]:
    """The fake probe, a uv cache of our own, and none of the shell's variables that steer uv (tests/real has its own).

    Nor those of a workflow that runs the tests: `--format github` writes to the files that they name.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        for name in [name for name in os.environ if name.startswith("UV_")]:
            patch.delenv(name)
        patch.setenv("UV_CACHE_DIR", str(uv_cache))
        # A test that forgets its local index must not fetch gigabytes from the real one.
        patch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
        # Nor an interpreter.
        patch.setenv("UV_PYTHON_DOWNLOADS", "never")
        patch.setattr(keys, "PROBE", FAKE_PROBE)
        patch.setattr(sandbox, "rights", noted.allowing())
        if mode := os.environ.get("TEST_SANDBOX"):
            _confine(patch, mode)
        keys.read_anew()
        yield
    keys.read_anew()


@pytest.fixture(scope="session")
def _installs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("installs")


@pytest.fixture(scope="module")
def installed_once(_surroundings: None, _installs: Path) -> Iterator[None]:
    """What uv has installed is copied where the same lock is installed again; for modules about what comes after."""
    with pytest.MonkeyPatch.context() as patch:
        copied_installs.patched(patch, _installs)
        yield


def _confine(patch: pytest.MonkeyPatch, mode: str) -> None:
    """Run all projects under `--sandbox MODE`, but without a namespace of processes: notes have process ids."""
    found = sandbox.offered()
    kept = tuple(name for name in found.namespaces if name != "pid")
    patch.setattr(Project, "sandbox", mode)
    patch.setattr(sandbox, "offered", lambda: replace(found, namespaces=kept))


@pytest.fixture
def confined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The projects of a test run confined, as a user's do; see `_confine`. `TEST_SANDBOX` overrides it."""
    _confine(monkeypatch, os.environ.get("TEST_SANDBOX", "auto"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose index holds one working version of everything, and whose matrix is that one cell."""
    return Project.working(tmp_path)
