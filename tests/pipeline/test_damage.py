"""Damage in a store: named once a command, made again by `run`, left alone by the commands that run nothing."""

from __future__ import annotations

import envelopes
import packages
import pytest
from project import Project

DAMAGED = "damaged, and ignored: "


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Project:
    """A cell that works and one that fails at decode."""
    project = Project.working(tmp_path_factory.mktemp("sound"))
    project.publish(packages.onnxruntime("1.17.0", on_run="raise RuntimeError('no')"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    project.run()
    return project


@pytest.fixture
def project(sound, tmp_path) -> Project:
    return sound.copy(tmp_path / "project")


def flip(path) -> None:
    """Change one bit in the middle of the value."""
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    path.write_bytes(content)


def statuses(project: Project) -> dict[str, str]:
    return {identifier: cell["status"] for identifier, cell in project.cells().items()}


def contents(project: Project) -> dict[str, bytes]:
    files = [path for path in project.store.rglob("*") if path.is_file()]
    return {path.relative_to(project.store).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("kind", ["lock", "stages"])
def test_a_flipped_bit_in_any_record_is_noticed_and_made_again(sound, project, kind):
    damaged = envelopes.records(project.store, kind)
    for path in damaged:
        flip(path)
    (identifier, *_) = sound.cells()
    before = contents(project)
    for command, *arguments in (["report"], ["plan"], ["explain", identifier]):
        answer = project.main(command, *arguments)
        # A report in which nothing is known any more is inconclusive.
        assert answer.code == (3 if command == "report" else 0), answer.err
        lines = [line for line in answer.err.splitlines() if line.startswith(DAMAGED)]
        assert len(set(lines)) == len(lines)
        assert all(line.endswith("does not match its checksum; `run` makes it again") for line in lines)
        # Nobody reads what rests on a result that is not known.
        assert len(lines) == len(damaged) if kind == "lock" else lines
        after = contents(project)
        assert {name: after.get(name) for name in before} == before
    answer = project.main("run")
    assert answer.code == 0, answer.err
    assert answer.err.count(DAMAGED) >= 1
    assert statuses(project) == statuses(sound)
    assert DAMAGED not in project.main("run").err
    assert statuses(project) == statuses(sound)


def test_two_records_in_each_others_place_are_not_believed(sound, project):
    by_end = {envelopes.value(path)["stages"][-1]["stage"]: path for path in envelopes.records(project.store, "stages")}
    one, other = by_end["decode"], by_end["parity"]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    answer = project.main("run")
    assert answer.err.count(DAMAGED) == 2
    assert answer.err.count("is the record of another key") == 2
    assert statuses(project) == statuses(sound)


@pytest.mark.parametrize("command", ["plan", "report", "run"])
@pytest.mark.parametrize("artifact", ["victim", "../victim", "/victim"])
def test_a_record_names_no_folder_but_its_artifact(project, command, artifact):
    victim = project.root / "victim"
    victim.mkdir()
    (victim / "file").touch()
    name = str(victim) if artifact.startswith("/") else artifact
    for path in envelopes.records(project.store, "stages"):
        if envelopes.value(path)["artifact"]:
            envelopes.rewrite(path, lambda value: {**value, "artifact": name})
    before = contents(project)
    answer = project.main(command)
    assert answer.code == (3 if command == "report" else 0), answer.err
    assert "does not fit this version of the harness (artifact: " in answer.err
    assert (victim / "file").exists()
    if command != "run":
        assert contents(project) == before


def test_a_lost_or_damaged_artifact_is_left_to_run(sound, project):
    for path in (project.store / "artifacts").glob("*/model.onnx"):
        path.write_text("")
    project.publish(packages.onnxruntime("1.18.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]})
    before = contents(project)
    for command in ("plan", "report"):
        assert project.main(command).code == 0
        after = contents(project)
        assert {name: after.get(name) for name in before} == before
    project.run()
    assert statuses(sound).items() <= statuses(project).items()
    assert sorted(statuses(project).values()) == ["fails", "works", "works"]


def test_a_message_with_half_of_a_surrogate_pair_is_kept(project):
    project.publish(packages.onnxruntime("1.18.0", on_run=r"raise RuntimeError('caf\udce9')"))
    project.configure({"onnxruntime": ["1.18.0"]})
    for _ in range(2):
        answer = project.main("run")
        assert answer.code == 0, answer.err
        (cell,) = project.cells().values()
        assert (cell["status"], cell["variants"][0]["stage"]) == ("fails", "decode")


def test_damage_is_told_however_quiet_a_command_is(sound, project):
    (path, *_) = envelopes.records(project.store, "lock")
    flip(path)
    ours = Project(sound.root)
    ours.store, ours.reports = project.root / "ours", project.root / "reports-of-merge"
    for answer in (project.main("report", "--quiet"), ours.main("merge", "--quiet", str(project.store))):
        damage = [line for line in answer.err.splitlines() if line.startswith(DAMAGED)]
        assert len(damage) == 1, answer.err
        assert str(path) in damage[0]
    assert DAMAGED not in project.main("run", "--quiet").out
