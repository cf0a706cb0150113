"""Environments on disk: built, shared, released and removed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from values import PYTHON

from harness.environments.bytecode import Bytecode
from harness.environments.environments import Environments
from harness.environments.installed import installed, site_packages
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.layers import bases, closure, layers
from harness.locked import Lock, LockedDistribution
from harness.model import Interpreter, Status
from harness.store.scratch import FileLock
from harness.store.store import BYTECODE, Store
from harness.subprocesses import Supervisor


def test_bytecode_whose_sums_are_no_file_is_removed(tmp_path):
    (tmp_path / "bytecode").mkdir()
    os.mkfifo(tmp_path / "bytecode" / "sums.json")
    (tmp_path / "bytecode" / "a.cpython-311.pyc").touch()
    Bytecode(tmp_path / "bytecode", envs=tmp_path / "envs", scratch=tmp_path / "tmp").verify([])
    assert [path.name for path in (tmp_path / "bytecode").iterdir()] == ["sums.json"]


def test_a_closure_is_its_interpreters_version_and_its_files():
    lock = Lock(distributions=(LockedDistribution(name="a", version="1"),))
    here, there = (Interpreter(version="3.11.7", path=path) for path in ("/a", "/b"))
    assert closure(here, lock) == closure(there, lock)
    assert closure(here, lock) != closure(Interpreter(version="3.11.8", path="/a"), lock)


NOTHING = closure(PYTHON, Lock(distributions=()))


class FakeUv:
    """Makes environments without anything in them."""

    def __init__(self, *, in_cache: bool = True) -> None:
        self.children = Supervisor()
        self.in_cache = in_cache
        self.installs = 0
        self.downloads = 0
        self.by_interpreter: dict[str, bool] = {}
        """Each distribution → whether it was installed with the interpreter of the environment, unasked."""
        self.failure: ProviderFailure | None = None

    def create(self, folder, interpreter):
        site_packages(folder, interpreter).mkdir(parents=True, exist_ok=True)

    def install_from_cache(self, folder, lock, python=None):
        if not self.in_cache or self.failure:
            return False
        self._fill(folder, lock, python)
        return True

    def install(self, folder, lock, python=None):
        self.downloads += 1
        self._fill(folder, lock, python)

    def installed(self, folder, python):
        return installed([site_packages(folder, python)])

    def _fill(self, folder, lock, python):
        self.installs += 1
        self.by_interpreter |= {pinned.name: python == PYTHON for pinned in lock.distributions}
        if self.failure:
            raise self.failure
        for pinned in lock.distributions:
            info = site_packages(folder, PYTHON) / f"{pinned.name}-{pinned.version}.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Name: {pinned.name}\nVersion: {pinned.version}\n")


@pytest.fixture
def uv():
    return FakeUv()


@pytest.fixture
def two(tmp_path, uv):
    """Two users of one store, each with a share in the environment that the first has built."""
    users = [Environments(Store(tmp_path), uv) for _ in range(2)]
    assert {user.ensure(NOTHING)[1].status for user in users} == {Status.WORKS}
    assert uv.installs == 1
    yield users
    for user in users:
        user.close(keep=False)


def folders(root):
    return [path for path in (root / "envs").iterdir() if path.is_dir()]


@pytest.mark.parametrize("first", [0, 1])
def test_an_environment_goes_with_its_last_user(two, tmp_path, first):
    two[first].release((NOTHING,))
    assert two[1 - first].intact((NOTHING,))
    two[1 - first].release((NOTHING,))
    assert folders(tmp_path) == []


@pytest.mark.parametrize("keeper", [0, 1])
def test_an_environment_that_one_user_keeps_is_kept(two, tmp_path, keeper):
    two[keeper].close(keep=True)
    two[1 - keeper].close(keep=False)
    assert len(folders(tmp_path)) == 1


def test_an_environment_that_was_found_changed_is_not_rebuilt_under_another_user(two, tmp_path, uv):
    site = site_packages(folders(tmp_path)[0], PYTHON)
    (site / "stranger-1.0.dist-info").mkdir()
    (site / "stranger-1.0.dist-info" / "METADATA").write_text("Name: stranger\nVersion: 1.0\n")
    for message in ("the environment is not what was locked", "another process still works in it"):
        python, result = two[1].ensure(NOTHING)
        assert (python, result.status) == (None, Status.ERROR)
        assert message in result.error.message
        assert site.is_dir()
        assert not two[0].intact((NOTHING,))
    two[0].release((NOTHING,))
    assert two[1].ensure(NOTHING)[1].status is Status.WORKS
    assert uv.installs == 2


def test_a_later_user_inherits_only_what_nobody_works_in(two, tmp_path, uv):
    third = Environments(Store(tmp_path), uv)
    third.close(keep=False)
    assert all(user.intact((NOTHING,)) for user in two)


def killed(user: Environments) -> None:
    """The kernel releases what a process held."""
    for share in user._shares.values():
        share.close()
    user._shares.clear()


@pytest.mark.parametrize("keep", [False, True])
def test_what_a_killed_user_left_goes_with_whoever_closes_after_it(tmp_path, uv, keep):
    one, other = (Environments(Store(tmp_path), uv) for _ in range(2))
    one.ensure(NOTHING)
    other.close(keep=False)
    assert one.intact((NOTHING,))
    other = Environments(Store(tmp_path), uv)
    killed(one)
    other.close(keep=keep)
    assert len(folders(tmp_path)) == keep


def test_who_removes_what_a_killed_user_has_left_half_built_is_no_user_of_it(tmp_path, uv, monkeypatch):
    one, left = (Environments(Store(tmp_path), uv) for _ in range(2))
    left.ensure(NOTHING)
    (folders(tmp_path)[0] / "verified-by-harness").unlink()
    killed(left)
    building: list[Future] = []
    leave = Environments._leave

    with ThreadPoolExecutor(1) as pool:

        def slowly(user: Environments, folder: Path, *, keep: bool) -> None:
            if not building:
                building.append(pool.submit(one.ensure, NOTHING))
                wait(building, 1)
            leave(user, folder, keep=keep)

        monkeypatch.setattr(Environments, "_leave", slowly)
        other = Environments(Store(tmp_path), uv)
        _, result = building[0].result(20)
    assert result.status is Status.WORKS, result
    for user in (one, other):
        user.close(keep=False)
    assert folders(tmp_path) == []


def test_an_environment_that_could_not_be_built_is_left_to_whoever_tries_next(tmp_path, uv):
    one, other = (Environments(Store(tmp_path), uv) for _ in range(2))
    uv.failure = ProviderFailure(FailureType.INFRASTRUCTURE, "no network")
    assert one.ensure(NOTHING)[1].status is Status.ERROR
    uv.failure = None
    assert other.ensure(NOTHING)[1].status is Status.WORKS
    for user in (one, other):
        user.close(keep=False)
    assert folders(tmp_path) == []


@pytest.mark.parametrize("in_cache", [True, False])
def test_only_what_the_cache_lacks_is_downloaded(tmp_path, in_cache):
    uv = FakeUv(in_cache=in_cache)
    environments = Environments(Store(tmp_path), uv)
    assert environments.ensure(NOTHING)[1].status is Status.WORKS
    assert (uv.installs, uv.downloads) == (1, 0 if in_cache else 1)
    environments.close(keep=False)


def locked(**requires: tuple[str, ...]) -> Lock:
    """A lock of one version of each, in which each requires those that are named."""
    via = {name: tuple(sorted(parent for parent, needs in requires.items() if name in needs)) for name in requires}
    return Lock(distributions=tuple(LockedDistribution(name=name, version="1", via=parents) for name, parents in via.items()))


EXPORT_SIDE = {
    "torch": ("sympy",),
    "sympy": (),
    "transformers": ("tokenizers", "numpy"),
    "tokenizers": (),
    "onnx": ("numpy",),
    "numpy": (),
    "torchvision": ("torch", "pillow"),
    "pillow": (),
}


def test_what_numpy_torch_transformers_and_onnx_reach_are_layers_and_so_is_the_rest():
    whole = closure(PYTHON, locked(**EXPORT_SIDE))
    assert [sorted(layer.lock.versions) for layer in layers(whole)] == [
        ["numpy"],
        ["sympy", "torch"],
        ["tokenizers", "transformers"],
        ["onnx"],
        ["pillow", "torchvision"],
    ]
    assert bases(whole) == (layers(whole)[:2], layers(whole)[:3])


OTHER_SIDE = {name: needs for name, needs in {**EXPORT_SIDE, "transformers": ("numpy",)}.items() if name != "tokenizers"}


def test_a_layer_does_not_depend_on_what_is_beside_it():
    one, two = (layers(closure(PYTHON, locked(**side))) for side in (EXPORT_SIDE, OTHER_SIDE))
    assert (one[:2], one[3]) == (two[:2], two[3])
    assert one[2] != two[2]


def test_a_small_closure_is_its_own_layer():
    whole = closure(PYTHON, locked(onnxruntime=("numpy",), numpy=()))
    assert layers(whole) == (whole,)
    assert bases(whole) == ((whole,),)


def test_layers_are_installed_once_and_composed(tmp_path, uv):
    store = Store(tmp_path)
    made = Environments(store, uv)
    for side in (EXPORT_SIDE, OTHER_SIDE):
        whole = closure(PYTHON, locked(**side))
        python, result = made.ensure(whole)
        assert result.status is Status.WORKS
        lines = (site_packages(python.parent.parent, PYTHON) / "parts.pth").read_text().splitlines()
        assert len(lines) == len(layers(whole))
        assert made.intact((whole,))
    assert uv.installs == 5 + 1
    made.release((layers(whole)[0],))
    assert not made.intact((whole,))
    made.close(keep=False)
    assert [path for path in (store.root / "envs").iterdir() if path.is_dir()] == []


def test_a_layer_is_installed_without_asking_its_python_and_what_one_may_use_with_it(tmp_path, uv):
    made = Environments(Store(tmp_path / "store"), uv)
    made.ensure(closure(PYTHON, locked(**EXPORT_SIDE)))
    assert set(uv.by_interpreter.values()) == {True}
    made.ensure(closure(PYTHON, locked(onnxruntime=(), flatbuffers=())))
    assert not uv.by_interpreter["onnxruntime"]
    given = tmp_path / "given"
    uv.create(given, PYTHON)
    (given / "pyvenv.cfg").write_text(f"version_info = {PYTHON.version}\n")
    assert made.adopt(given, closure(PYTHON, locked(torch=())))[1].status is Status.WORKS
    assert not uv.by_interpreter["torch"]
    made.close(keep=False)


def compiled(store: Store, count: int) -> Path:
    """The folder of what was compiled for `count` environments that are gone, the first longest ago."""
    envs = store.root / "envs"
    folder = store.root / BYTECODE / envs.relative_to(envs.anchor)
    for number in range(count):
        (folder / f"env{number:03}" / "torch").mkdir(parents=True)
        os.utime(folder / f"env{number:03}", (number + 1, number + 1))
    return folder


def test_the_bytecode_of_the_latest_environments_is_kept_and_that_of_those_in_use(tmp_path, uv):
    store = Store(tmp_path)
    folder = compiled(store, 64 + 3)
    with contextlib.closing(FileLock(store.root / "envs" / "env001.use")) as lock:
        lock.share()
        Environments(store, uv).close(keep=False)
        assert sorted(path.name for path in folder.iterdir())[:2] == ["env001", "env003"]
    Environments(store, uv).close(keep=False)
    assert min(path.name for path in folder.iterdir()) == "env003"


def test_two_that_close_at_once_take_nothing_from_each_other(tmp_path, uv, monkeypatch):
    store = Store(tmp_path)
    folder = compiled(store, 64 + 40)
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        """Lists, before the other removes what is oldest."""
        found = list(listed(path))
        if path == folder:
            shutil.rmtree(found[0])
            found.append(folder / "gone-already")
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    users = [Environments(store, uv) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda user: user.close(keep=False), users))
    assert len(list(listed(folder))) <= 64
    assert list(listed(store.root / "tmp")) == []
