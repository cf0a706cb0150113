"""Folders that lie elsewhere for a while."""

from __future__ import annotations

from pathlib import Path

from harness.execution.process.lent_folders import LentFolders


def test_a_folder_is_found_at_both_places_and_comes_back(tmp_path):
    for name in ("server", "fork"):
        (tmp_path / name).mkdir()
    fork, lent = tmp_path / "fork", LentFolders([tmp_path / "server"])
    (fork / "job.json").write_text("{}")
    ((name, place),) = lent.take([fork])
    assert name == str(fork)
    assert place.startswith(f"{tmp_path}/server/")
    assert (fork / "job.json").read_text() == "{}"
    (fork / "made").touch()
    lent.give_back([fork])
    assert not fork.is_symlink()
    assert {path.name for path in fork.iterdir()} == {"job.json", "made"}
    assert list((tmp_path / "server").iterdir()) == []


def test_servers_in_servers(tmp_path):
    for name in ("outer", "inner", "fork"):
        (tmp_path / name).mkdir()
    outer, inner = LentFolders([tmp_path / "outer"]), LentFolders([tmp_path / "inner"])
    outer.take([tmp_path / "inner"])
    ((_, place),) = inner.take([tmp_path / "fork"])
    assert place.startswith(f"{tmp_path}/outer/")
    # The outer one has ended first.
    outer.give_back()
    inner.give_back()
    assert [path.is_symlink() for path in sorted(tmp_path.iterdir())] == [False, False, False]


def test_nobody_waits_for_it_any_more(tmp_path):
    (tmp_path / "server").mkdir()
    (tmp_path / "fork").mkdir()
    lent = LentFolders([tmp_path / "server"])
    lent.take([tmp_path / "fork"])
    (tmp_path / "fork").unlink()
    lent.give_back([tmp_path / "fork"])
    assert not (tmp_path / "fork").exists()


def test_what_the_server_has_put_in_its_place_is_not_followed(tmp_path):
    for name in ("server", "fork", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "private" / "file").touch()
    lent = LentFolders([tmp_path / "server"])
    ((_, place),) = lent.take([tmp_path / "fork"])
    Path(place).rmdir()
    Path(place).symlink_to(tmp_path / "private")
    lent.give_back([tmp_path / "fork"])
    assert not (tmp_path / "fork").is_symlink()
    assert list((tmp_path / "fork").iterdir()) == []
