"""Input that cannot be used: exit code 2, one sentence that names the place and the mend, and no work done."""

from __future__ import annotations

import packages
import pytest
from project import AXES, PYTHON, Project, printed


def refused(project: Project, *arguments: str, command: str = "run") -> str:
    """What the command says when it exits with 2 before any probe; newlines are folded."""
    answer = project.main(command, *arguments)
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert project.starts() == []
    return " ".join(answer.err.split())


def test_malformed_toml(project):
    project.config.write_text("[axes\npython = 3")
    said = refused(project)
    assert "matrix.toml: not valid TOML" in said
    assert "line 1" in said


def test_a_missing_config(project):
    project.config.unlink()
    assert "matrix.toml" in refused(project)


def test_a_config_that_is_a_folder(project):
    project.config.unlink()
    project.config.mkdir()
    assert "matrix.toml" in refused(project)


def test_a_config_that_is_not_utf8(project):
    project.config.write_bytes(b"\xff\xfe\x00a")
    assert "matrix.toml" in refused(project)


def test_an_unknown_key_is_answered_with_a_known_one(project):
    project.configure(run={"time-limits": "3s"})
    said = refused(project)
    assert "matrix.toml: run.time-limits: unknown key; did you mean 'time-limit'?" in said


def test_an_axis_without_any_published_version(project):
    """Another version of an axis would make it cost its cells only: see test_unpublished.py."""
    project.configure({"onnxruntime": ["1.98.0", "1.99.0"]})
    said = refused(project)
    assert "matrix.toml: axes.onnxruntime" in said
    assert "is not published where uv looked" in said
    assert "the nearest: 1.16.3" in said


def test_an_axis_that_nobody_publishes(project):
    project.configure({"onnx-runtime-gpu": ["1.0"]})
    said = refused(project)
    assert "axes.onnx-runtime-gpu" in said
    assert "no index that uv searched" in said or "is not published" in said


def test_a_selector_on_an_axis_that_nobody_publishes(project):
    project.configure({"nonesuch": [">=1; latest"]})
    said = refused(project)
    assert "axes.nonesuch[0]: no index that uv searched has a distribution named 'nonesuch'" in said


def test_a_selector_that_admits_nothing(project):
    project.configure({"onnxruntime": [">=7; all"]})
    said = refused(project)
    assert "axes.onnxruntime[0]" in said
    assert "no published version of onnxruntime satisfies '>=7'" in said


def test_a_selector_without_any_interpreter(project):
    project.configure({"python": ["3.99"], "onnxruntime": [">=1; latest"]})
    assert "no interpreter of the python axis is installed" in refused(project)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--select", "torch>=9"], "no torch satisfies >=9; there are 2.1.0"),
        (["--select", "torch>=2", "--select", "onnxruntime==1.16.4"], "no onnxruntime satisfies ==1.16.4; there are 1.16.3"),
        (["--exclude", "torch==2.1.1"], "no torch satisfies ==2.1.1"),
        (["--exclude", "exporter=torchscrpt"], "no exporter is 'torchscrpt'; did you mean 'torchscript'?"),
        (["--select", "exporter=dynamo"], "no exporter is 'dynamo'; expected one of torchscript"),
        (["--select", "environment=handoff"], "no environment is 'handoff'; expected one of together"),
        (["--select", "ir-version=9"], "no ir_version is '9'; expected one of stamped"),
        (["--exclude", "opset>=18"], "cannot read 'opset>=18' in the selection 'opset>=18'; opset takes '=' and a value"),
        (["--exclude", "exporter!=dynamo"], "exporter takes '=' and a value"),
        (["--exclude", "exporter=torchscript"], "no cell is left"),
        (["--select", "torch"], "cannot read 'torch'"),
        (["--select", "torch>=x"], "cannot read the selection"),
        (["--select", "tensorflow>=2"], "names 'tensorflow', which is no axis"),
        (["--select", ""], "cannot read ''"),
        (["--jobs", "0"], "expected a number of probes, 1 or more, not '0'"),
        (["--shard", "0/3"], "1/3 to 3/3 for example, not '0/3'"),
        (["--shard", "4/3"], "1/3 to 3/3 for example, not '4/3'"),
        (["--shard", "x"], "expected the number of a shard and how many there are, 1/3 to 3/3 for example, not 'x'"),
        (["--shard", "1/3/3"], "expected the number of a shard"),
        (["--shard", "1/3", "--strategy", "pairwise"], "leave out --strategy or --shard"),
        (["--budget", "soon"], "expected a duration such as '90s', '5m' or '1h', not 'soon'"),
        (["--budget", "-5m"], "expected one argument"),
        (["--strategy", "random"], "invalid choice: 'random'"),
        (["--format", "yaml"], "invalid choice: 'yaml'"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_bad_arguments(project, arguments, words):
    assert words in refused(project, *arguments)


@pytest.mark.parametrize("command", ["cell", "explain"])
def test_a_cell_that_does_not_exist(project, command):
    here = f"py{PYTHON.replace('.', '')}-t210-tf4463-o1162-r1163"
    assert f"no cell is called 'nonesuch'; expected one of {here}" in refused(project, "nonesuch", command=command)
    assert f"did you mean '{here}'?" in refused(project, here.replace("1163", "1164"), command=command)


@pytest.mark.parametrize("command", ["cell", "explain"])
def test_an_id_that_names_several_cells(project, command):
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    assert "'py*' names 2 cells, and one is needed: py3" in refused(project, "py*", command=command)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("plan", ["--force", "--retry", "--keep-envs", "--jobs", "--reports", "--fail-on", "--environment"]),
        ("run", ["--shards"]),
        (
            "report",
            [
                "--shards",
                "--force",
                "--retry",
                "--keep-envs",
                "--jobs",
                "--offline",
                "--refresh",
                "--environment",
                "--strategy",
                "--budget",
            ],
        ),
        (
            "cell",
            [
                "--shard",
                "--select",
                "--exclude",
                "--keep-envs",
                "--reports",
                "--fail-on",
                "--against",
                "--strategy",
                "--budget",
            ],
        ),
        (
            "explain",
            ["--select", "--exclude", "--keep-envs", "--force", "--retry", "--jobs", "--offline", "--refresh", "--quiet"],
        ),
    ],
)
def test_an_option_that_a_command_has_no_use_for(project, command, options):
    identifier = ["py*"] if command in {"cell", "explain"} else []
    for option in options:
        assert "unrecognized arguments" in refused(project, *identifier, option, command=command)


def test_an_unknown_command(project):
    assert "there is no command 'frobnicate'; expected one of" in refused(project, command="frobnicate")


def test_exclude_rules_that_leave_nothing(project):
    project.configure(exclude=[{"torch": ">=1"}])
    assert "no cell is left after the exclude rules" in refused(project)


def test_reports_that_are_a_file(project):
    project.reports.write_text("in the way")
    said = refused(project)
    assert str(project.reports) in said
    assert "--reports" in said
    assert not project.store.exists()


def test_reports_inside_a_file(project):
    (project.root / "file").write_text("")
    assert "--reports" in refused(project, "--reports", str(project.root / "file" / "reports"))


def test_a_store_that_is_a_file(project):
    project.store.write_text("in the way")
    answer = project.main("run")
    assert answer.code == 2
    assert "--store" in answer.err


def test_find_links_that_do_not_exist(project):
    project.configure(uv={"no-index": True, "find-links": [str(project.root / "nowhere")], "torch-backend": "default"})
    answer = project.main("run")
    assert "nowhere" in answer.err + answer.out
    assert "Traceback" not in answer.err
    assert project.starts() == []


def test_a_missing_interpreter_costs_its_own_cells_only(project):
    project.configure({"python": [PYTHON, "3.99"]})
    statuses = [cell["status"] for cell in project.run().values()]
    assert statuses == ["works", "not-run"]


def test_a_bad_axis_is_found_before_anything_is_installed_for_the_others(project):
    project.publish(packages.torch("2.2.0"))
    project.configure({"torch": [*AXES["torch"], "2.2.0"], "onnxruntime": ["9.9.9"]})
    refused(project)
    assert list((project.store / "envs").iterdir()) == []


@pytest.mark.parametrize("name", ["loop", "there", "loop/x"])
def test_links_that_lead_to_themselves_are_one_sentence(project, monkeypatch, name):
    monkeypatch.chdir(project.root)
    for link, target in (("loop", "loop"), ("there", "back"), ("back", "there")):
        (project.root / link).symlink_to(target)
    config, store = ("--config", str(project.config)), ("--store", str(project.store))
    for command, arguments in {
        "plan": (*store, "--config", name),
        "run": (*config, "--store", name, "--reports", "out"),
        "report": (*config, *store, "--reports", name),
        "merge": (*config, *store, name),
        "check": (*config, *store, "--from", name),
        "inspect": (name,),
        "show": ("--reports", name),
    }.items():
        answer = printed(command, *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.splitlines()[-1].startswith("error: ")
        assert "the harness itself failed" not in answer.err
    for key in ("module", "model"):
        project.configure(probe={key: f"./{name}"})
        answer = project.main("plan")
        assert (answer.code, answer.err.startswith(f"error: matrix.toml: probe.{key}: ")) == (2, True)
