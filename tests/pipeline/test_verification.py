"""An environment that is not what was locked, and a probe that used what its key leaves out, give errors, never verdicts."""

from __future__ import annotations

import dataclasses
import shutil
import zipfile
from pathlib import Path

import packages
from project import Project
from wheels import Wheel

from harness.environments.environments import Environments
from harness.execution.process import probe_process, probes
from harness.tasks import keys


def only_cell(project: Project, *arguments: str) -> dict:
    (cell,) = project.run(*arguments).values()
    return cell


def stages(cell: dict) -> set[tuple[str, str]]:
    return {(variant["status"], variant["stage"]) for variant in cell["variants"]}


def error(cell: dict) -> str:
    return cell["variants"][0]["error"]


def tamper(environment: Path, name: str, version: str) -> None:
    """Make the installed distribution `name` say that it is `version`."""
    (info,) = environment.glob(f"lib/python*/site-packages/{name}-*.dist-info")
    metadata = info / "METADATA"
    text = "\n".join(
        f"Version: {version}" if line.startswith("Version:") else line for line in metadata.read_text().splitlines()
    )
    # Linked from uv's cache: the file is replaced, not written through.
    metadata.unlink()
    metadata.write_text(text + "\n")


def environment_with(project: Project, name: str) -> Path:
    (found,) = {path.parents[3] for path in (project.store / "envs").glob(f"*/lib/python*/site-packages/{name}-*.dist-info")}
    return found


def test_an_environment_that_was_changed_is_an_error_and_is_not_used(project):
    project.run("--keep-envs")
    tamper(environment_with(project, "torch"), "torch", "2.0.9")
    cell = only_cell(project, "--keep-envs", "--force")
    assert cell["status"] == "error"
    assert stages(cell) == {("error", "install")}
    assert "torch 2.0.9, locked 2.1.0" in error(cell)
    assert len(project.starts("export")) == 1


def test_a_distribution_that_the_lock_does_not_name_is_an_error(project):
    project.run("--keep-envs")
    site = next(environment_with(project, "torch").glob("lib/python*/site-packages"))
    with zipfile.ZipFile(packages.package("stowaway", "1.0").write(project.root)) as archive:
        archive.extractall(site)
    cell = only_cell(project, "--keep-envs", "--force")
    assert stages(cell) == {("error", "install")}
    assert "stowaway 1.0, locked not at all" in error(cell)


def test_a_distribution_that_went_missing_is_an_error(project):
    project.run("--keep-envs")
    (info,) = environment_with(project, "torch").glob("lib/python*/site-packages/mpmath-*.dist-info")
    info.rename(project.root / info.name)
    cell = only_cell(project, "--keep-envs", "--force")
    assert stages(cell) == {("error", "install")}
    assert "mpmath missing, locked 1.3.0" in error(cell)


def test_a_changed_environment_is_mended_by_the_next_run(project):
    project.run("--keep-envs")
    tamper(environment_with(project, "torch"), "torch", "2.0.9")
    assert only_cell(project, "--keep-envs", "--force")["status"] == "error"
    assert only_cell(project)["status"] == "works"


def test_a_wheel_that_is_not_the_one_that_was_locked_is_an_error(project, monkeypatch):
    # The lock is kept; the index then offers other bytes under the same name and version.
    project.run()
    project.publish(packages.onnxruntime("1.16.3", on_run="return [9.0, 9.0]"))
    monkeypatch.setenv("UV_CACHE_DIR", str(project.root / "another-cache"))
    cell = only_cell(project, "--force")
    assert stages(cell) == {("error", "install")}
    assert "hash" in error(cell).lower()
    # An error of the moment is not remembered.
    project.publish(packages.onnxruntime("1.16.3"))
    assert only_cell(project)["status"] == "works"


def test_a_wheel_whose_metadata_lies_about_its_version_is_no_working_cell(project):
    honest = packages.onnxruntime("1.17.0")
    liar = Liar(**{field.name: getattr(honest, field.name) for field in dataclasses.fields(honest)})
    project.publish(liar)
    project.configure({"onnxruntime": ["1.17.0"]})
    answer = project.main("run")
    assert answer.code in {3, 2}
    if answer.code == 3:
        (cell,) = project.cells().values()
        assert cell["status"] == "error"
    assert "1.16.9" in answer.out + answer.err


class Liar(Wheel):
    """A wheel with another version in its METADATA than in its name."""

    __slots__ = ()

    def _metadata(self) -> str:
        return super()._metadata().replace(f"Version: {self.version}", "Version: 1.16.9")


def test_another_spelling_of_a_version_and_an_egg_info_within_a_wheel_are_as_locked(project):
    """`2020.04.01` is 2020.4.1, and the descriptions that a wheel brings are files of it."""
    brought = packages.package("brings", "1.0")
    older = {"oldthing.egg-info/PKG-INFO": "Metadata-Version: 1.0\nName: oldthing\nVersion: 0.1\n"}
    project.publish(
        packages.package("calver", "2020.04.01"),
        dataclasses.replace(brought, files={**brought.files, **older}),
        packages.torch("2.2.0", requires=("sympy", "calver", "brings"), on_import="import calver, brings"),
    )
    project.configure({"torch": ["2.2.0"]})
    (cell,) = project.run().values()
    assert (cell["status"], cell["resolved"]["calver"], cell["resolved"]["brings"]) == ("works", "2020.4.1", "1.0")
    assert "oldthing" not in cell["resolved"]


def test_a_wheel_that_cannot_be_unpacked_is_an_error(project):
    wheel = packages.onnxruntime("1.17.0").write(project.index)
    content = wheel.read_bytes()
    wheel.write_bytes(content.replace(b"class InferenceSession", b"class InferenceSessiom", 1))
    project.configure({"onnxruntime": ["1.17.0"]})
    cell = only_cell(project)
    assert stages(cell) == {("error", "resolve")}
    assert "1.17.0" in error(cell)


def test_a_probe_that_imports_what_its_key_leaves_out_has_no_result(project):
    alien = project.root / "alien"
    with zipfile.ZipFile(packages.package("alien", "4.2").write(project.root)) as archive:
        archive.extractall(alien)
    project.publish(packages.onnxruntime("1.17.0", on_run=f"import sys; sys.path.append({str(alien)!r}); import alien"))
    project.configure({"onnxruntime": ["1.17.0"]})
    cell = only_cell(project)
    assert cell["status"] == "error"
    assert "imported what its key leaves out: alien 4.2" in error(cell)


def test_the_strange_import_of_one_cell_does_not_judge_another(project):
    # Both cells share the run side; only the artifact of torch 2.2.0 makes it import the stranger.
    alien = project.root / "alien"
    with zipfile.ZipFile(packages.package("alien", "4.2").write(project.root)) as archive:
        archive.extractall(alien)
    strange = f"""
        import sys, pathlib
        if '"ir": 7' in pathlib.Path(run["artifact"], "model.onnx").read_text():
            sys.path.append({str(alien)!r})
            import alien
    """
    project.publish(packages.torch("2.2.0", ir=7), packages.onnxruntime("1.17.0", on_run=strange))
    project.configure({"torch": ["2.2.0", "2.1.0"], "onnxruntime": ["1.17.0"]})
    assert [cell["status"] for cell in project.run("--jobs", "1").values()] == ["error", "works"]


def test_what_a_probe_says_whose_environment_was_found_changed_meanwhile_is_not_remembered(project):
    flag = project.root / "flag"
    flag.touch()
    source = f"""
        import os, pathlib, sys
        if os.path.exists({str(flag)!r}):
            pathlib.Path(sys.prefix, "verified-by-harness").unlink()
            raise RuntimeError("half of torch is gone")
    """
    project.publish(packages.torch("2.2.0", on_export=source))
    project.configure({"torch": ["2.2.0"]})
    cell = only_cell(project)
    assert cell["status"] == "error"
    assert "its environment was removed or found changed" in error(cell)
    flag.unlink()
    assert only_cell(project)["status"] == "works"


def test_trouble_with_one_run_is_no_word_on_the_others_of_its_closure(project, monkeypatch):
    # All three cells share the run side.
    project.publish(packages.torch("2.2.0", ir=7), packages.torch("2.3.0", ir=6))
    project.configure({"torch": ["2.1.0", "2.2.0", "2.3.0"]})
    runs = []

    def run_probe(python, job, **given):
        if job["kind"] == "run":
            runs.append(job)
            if len(runs) == 2:
                raise OSError(5, "Input/output error")
        return probe_process.run_probe(python, job, **given)

    with monkeypatch.context() as patch:
        patch.setattr(probes, "run_probe", run_probe)
        cells = project.run("--jobs", "1").values()
    assert sorted(cell["status"] for cell in cells) == ["error", "works", "works"]
    (troubled,) = [cell for cell in cells if cell["status"] == "error"]
    assert stages(troubled) == {("error", "load")}
    assert "Input/output error" in error(troubled)
    # An error of the moment is not remembered.
    assert {cell["status"] for cell in project.run().values()} == {"works"}


def test_nothing_lies_around_in_the_working_folder(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.run()
    assert {path.name for path in project.root.iterdir()} == {
        "index",
        "matrix.toml",
        "notes",
        "store",
        "reports",
    }  # notes: tests/noted.py


def test_a_module_that_is_edited_during_a_run_is_another_one_for_the_next_run_only(project):
    own = project.root / "own.py"
    own.write_text("VERSION = 1")
    edits = f"open({str(own)!r}, 'w').write('VERSION = 2')"
    project.publish(packages.torch("2.2.0", on_export=edits), packages.torch("2.3.0"))
    variants = {"exporters": ["torchscript"], "layouts": ["plain"]}
    project.configure({"torch": ["2.2.0", "2.3.0"]}, probe={"module": "own.py"}, variants=variants)
    project.run("--jobs", "1")
    assert own.read_text() == "VERSION = 2"
    first = project.report()["probe"]["id"]
    assert {start["module"] for start in project.starts()} == {"VERSION = 1"}
    assert len(project.starts("export")) == 2
    project.run("--jobs", "1")
    assert [start["module"] for start in project.starts("export")] == ["VERSION = 1"] * 2 + ["VERSION = 2"] * 2
    assert project.report()["probe"]["id"] != first
    count = len(project.starts())
    own.write_text("VERSION = 1")
    project.run("--jobs", "1")
    assert project.report()["probe"]["id"] == first
    assert len(project.starts()) == count


def test_what_a_probe_whose_source_is_edited_finds_out_is_an_error(project, monkeypatch):
    fake = keys.PROBE.parent
    shutil.copytree(fake.parents[1] / "harness" / "probe", project.root / "copy/harness/probe")
    shutil.copytree(fake, project.root / "copy/tests/fake_probe")
    main = project.root / "copy/tests/fake_probe/__main__.py"
    edits = f"open({str(main.parent / 'runtimes' / 'ort' / '__init__.py')!r}, 'a').write('# edited')"
    project.publish(packages.torch("2.2.0", on_export=edits))
    project.configure({"torch": ["2.2.0"]})
    with monkeypatch.context() as patch:
        patch.setattr(keys, "PROBE", main)
        keys.read_anew()
        cell = only_cell(project)
        assert cell["status"] == "error"
        assert "__init__.py in fake_probe was edited during this run" in error(cell)
        keys.read_anew()
        project.configure()
        assert only_cell(project)["status"] == "works"
    keys.read_anew()


def test_a_checkpoint_that_is_edited_during_a_run_gives_errors(project):
    (project.root / "checkpoint").mkdir()
    config = project.root / "checkpoint" / "config.json"
    config.write_text('{"model_type": "marian"}')
    edits = f"open({str(config)!r}, 'a').write(' ')"
    project.publish(packages.torch("2.2.0", on_export=edits))
    project.configure({"torch": ["2.2.0"]}, probe={"model": "checkpoint"})
    cell = only_cell(project)
    assert cell["status"] == "error"
    assert "config.json in checkpoint was edited during this run" in error(cell)


def test_what_cannot_be_cleaned_up_keeps_no_result_from_being_reported(project, monkeypatch):
    def close(_self: Environments, *, keep: bool) -> None:
        raise OSError(39, "Directory not empty", "bytecode")

    with monkeypatch.context() as patch:
        patch.setattr(Environments, "close", close)
        answer = project.main("run")
    assert answer.code == 0
    assert "not everything could be cleaned up: [Errno 39] Directory not empty: 'bytecode'" in answer.err
    assert [cell["status"] for cell in project.cells().values()] == ["works"]
