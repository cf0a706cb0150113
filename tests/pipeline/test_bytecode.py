"""Damaged bytecode never decides: it is removed before it is read, or the task is done once more from clean."""

from __future__ import annotations

import shutil
from pathlib import Path

import packages
import pytest
from project import Project

from harness.environments.bytecode import Bytecode


def emptied(path: Path, _other: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path, _other: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path, _other: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garbage_header(path: Path, _other: Path) -> None:
    path.write_bytes(b"garbage!" * 2 + path.read_bytes()[16:])


def swapped(path: Path, other: Path) -> None:
    # With its own header, which names its source.
    path.write_bytes(path.read_bytes()[:16] + other.read_bytes()[16:])


def one_bit(path: Path, _other: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"0.25") if b"0.25" in content else len(content) // 2] ^= 4
    path.write_bytes(content)


def a_folder(path: Path, _other: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


def compiled(project: Project, name: str) -> list[Path]:
    return [path for path in (project.store / "bytecode").rglob("*.pyc") if f"site-packages/{name}/" in str(path)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.working(tmp_path_factory.mktemp("bytecode"))
    (cell,) = project.run().values()
    assert cell["status"] == "works"
    return project


@pytest.mark.parametrize("damage", [emptied, truncated, zeros, garbage_header, swapped, one_bit, a_folder, a_link])
def test_what_is_not_as_a_run_has_left_it_is_removed_before_it_is_read(finished, damage):
    files = [*compiled(finished, "torch"), *compiled(finished, "onnxruntime")]
    assert len(files) == 2
    for path, other in zip(files, reversed(files), strict=True):
        damage(path, other)
    # What Python takes from the standard library, and the probe itself, is bytecode of the store too.
    damage(next(path for path in (finished.store / "bytecode").rglob("*.pyc") if path.name.startswith("dispatch.")), files[0])
    starts = len(finished.starts())
    (cell,) = finished.run("--force").values()
    assert cell["status"] == "works"
    assert len(finished.starts()) == starts + 3
    assert len([*compiled(finished, "torch"), *compiled(finished, "onnxruntime")]) == 2


def test_without_the_sums_nothing_is_believed(finished):
    for path in (finished.store / "bytecode").rglob("sums.json"):
        path.write_text("{")
    for path in compiled(finished, "torch"):
        path.write_bytes(b"")
    (cell,) = finished.run("--force").values()
    assert cell["status"] == "works"


def spoils(name: str) -> str:
    """Source that leaves half of the bytecode of the module `name`, as a full disk does."""
    return f"""
import pathlib, sys
if sys.pycache_prefix and "/tmp/" not in sys.pycache_prefix[len(str(pathlib.Path(sys.pycache_prefix).parent.parent)):]:
    for path in pathlib.Path(sys.pycache_prefix).rglob("*.pyc"):
        if "site-packages/{name}/" in str(path):
            path.write_bytes(path.read_bytes()[:40])
"""


def test_what_is_damaged_in_a_run_is_removed_and_the_task_done_once_more(project):
    """The bytecode of transformers is spoilt while torch is imported, once."""
    once = packages.in_turn(project.notes / "turns", "", "", spoils("transformers"))
    project.publish(packages.torch(on_import=once))
    (cell,) = project.run().values()
    assert cell["status"] == "works"
    (cell,) = project.run("--force").values()
    assert cell["status"] == "works"


def test_bytecode_of_what_is_gone_is_not_kept(project):
    project.run("--audit", "100%")
    project.run("--force")
    assert not [path for path in (project.store / "bytecode").rglob("*.pyc") if "store/tmp/" in str(path)]


def test_an_unchanged_run_reads_none(finished, monkeypatch):
    monkeypatch.setattr(Bytecode, "verify", None)
    finished.run()


def test_the_folder_may_be_removed(finished):
    shutil.rmtree(finished.store / "bytecode")
    (cell,) = finished.run("--force").values()
    assert cell["status"] == "works"
    assert compiled(finished, "torch")
