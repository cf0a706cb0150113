"""What a run leaves and prints: reports people and programs read, data on stdout, progress on stderr."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import packages
import pytest
from packages import raises
from project import PYTHON, Project, harness

from harness import pipeline

pytestmark = pytest.mark.usefixtures("installed_once")

MESSAGE = "RuntimeError('a | b: cannot broadcast `x`')"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Six cells: works and fails in every row, a missing interpreter, both setups, and a version that looks like a number."""
    project = Project(tmp_path_factory.mktemp("mixed"))
    project.publish(*packages.working(), packages.onnx("2.10"), packages.onnxruntime("1.17.0", on_run=raises(MESSAGE)))
    project.configure(
        {"onnx": ["1.16.2", "2.10"], "onnxruntime": ["1.16.3", "1.17.0"], "python": [PYTHON, "3.99"]},
        variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"], "feedbacks": ["keep-cross", "feed-all"]},
        setup=["together", "handoff"],
    )
    answer = project.main("run")
    assert answer.code == 0, answer.err
    return project


def tables(markdown: str) -> list[list[str]]:
    """Every GitHub table as its lines."""
    found: list[list[str]] = [[]]
    for line in markdown.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def quotations(markdown: str, words: str) -> list[str]:
    """The lines that quote a message in which `words` stand."""
    return [line for line in markdown.splitlines() if line.startswith("  > ") and words in line]


def columns(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def test_matrix_json_is_valid_against_the_schema_beside_it(mixed):
    schema = json.loads((mixed.reports / "matrix.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(mixed.report(), schema)


def test_the_schema_refuses_what_is_no_report(mixed):
    schema = json.loads((mixed.reports / "matrix.schema.json").read_text())
    report = mixed.report()
    report["cells"][0]["status"] = "maybe"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in mixed.report().items() if key != "cells"}, schema)


def test_matrix_json_has_the_fields_of_the_contract(mixed):
    report = mixed.report()
    assert report["schema"] == 1
    assert {"cells", "rules", "recommended", "platform", "probe", "generated"} <= report.keys()
    for cell in report["cells"]:
        assert {"id", "python", "pins", "environment", "status", "lock", "resolved", "remedies", "variants"} <= cell.keys()
        for variant in cell["variants"]:
            assert {
                "exporter", "opset", "layout", "feedback", "binding", "status", "stage", "cause", "error", "signature", "ir",
                "max_abs_diff", "seconds",
            } <= variant.keys()  # fmt: skip
            assert (variant["stage"] is None) == (variant["status"] == "works")


def test_the_report_counts_what_there_is(mixed):
    statuses = [cell["status"] for cell in mixed.report()["cells"]]
    assert {status: statuses.count(status) for status in statuses} == {"works": 4, "fails": 4, "not-run": 8}
    assert mixed.report()["axes"]["onnx"] == ["1.16.2", "2.10"]


def test_matrix_md_tables_are_well_formed(mixed):
    text = (mixed.reports / "matrix.md").read_text()
    for table in tables(text):
        assert len({columns(row) for row in table}) == 1, table
        assert re.fullmatch(r"\|[-:|]+\|", table[1])
    # One for each torch and Python, the newest working sets, the rules, the two feedback protocols, and whose fault it is.
    assert len(tables(text)) == 4 + 1 + 1 + 1 + 1


def test_matrix_md_keeps_versions_as_text(mixed):
    text = (mixed.reports / "matrix.md").read_text()
    rows = [row for table in tables(text) for row in table if re.search(r"\|\s*2\.10\s*\|", row)]
    assert rows
    assert not re.search(r"\|\s*2\.1\s*\|", text)


def test_matrix_md_says_every_fault_once(mixed):
    text = (mixed.reports / "matrix.md").read_text()
    assert len(quotations(text, "cannot broadcast")) == 1
    assert f"4 cells, 16 variants: python {PYTHON} · onnxruntime 1.17.0\n" in text
    assert f"4 cells, 8 variants: python {PYTHON} · onnxruntime 1.16.3 · feedback feed-all\n" in text
    assert text.count("no CPython 3.99 on this machine") == 1


def test_a_backtick_in_a_message_does_not_end_its_quotation(mixed):
    text = (mixed.reports / "matrix.md").read_text()
    (quoted,) = quotations(text, "cannot broadcast")
    assert quoted.count("`") == 2
    # Nor does one in a cause's evidence, where there are no quotations.
    assert all(line.count("`") == 0 for line in text.splitlines() if line.startswith("  **"))


@pytest.fixture
def again(mixed, tmp_path):
    """The command line on `mixed` once more, its reports elsewhere."""
    return lambda *arguments: mixed.call("run", *arguments, "--reports", str(tmp_path / "reports"))


def test_json_on_stdout_is_the_report_and_nothing_else(again, tmp_path):
    answer = again("--format", "json")
    assert answer.out == (tmp_path / "reports" / "matrix.json").read_text()
    assert "resolved 16 cells" in answer.err


def test_markdown_on_stdout_is_the_page_and_nothing_else(mixed, again):
    assert again("--format", "markdown").out == (mixed.reports / "matrix.md").read_text()


def test_text_on_stdout_has_tables_and_faults_and_no_colour_in_a_pipe(again):
    answer = again()
    assert "\x1b" not in answer.out + answer.err
    assert f"torch 2.1.0 · Python {PYTHON} · handoff" in answer.out
    assert "a | b: cannot broadcast" in answer.out
    assert "16 cells: 4 works, 4 fails, 8 not-run" in answer.out
    assert "wrote" not in answer.out


def test_colour_where_it_is_asked_for(again):
    assert "\x1b[" in again("--color", "always").out
    assert "\x1b[" not in again("--color", "never").out


def test_quiet_says_nothing_on_stderr_but_what_was_written(again):
    answer = again("--quiet")
    assert answer.err.split()[0] == "wrote"
    assert "resolved" not in answer.err


def test_the_paths_of_the_reports_are_on_one_line(mixed, tmp_path):
    folder = tmp_path / ("long" * 40)
    answer = mixed.call("run", "--quiet", "--reports", str(folder))
    assert len(answer.err.splitlines()) == 1


def test_a_line_for_every_cell_where_there_is_no_terminal(again):
    lines = [line for line in again().err.splitlines() if line.startswith("[")]
    assert [line.partition("]")[0] for line in lines] == [f"[{number}/16" for number in range(1, 17)]
    assert any("fails ✗✗✗✗" in line and "decode: a | b: cannot broadcast" in line for line in lines)


def test_reports_appear_whole(mixed):
    suffixes = {"json", "md", "schema.json", "html", "svg", "badge.svg"}
    assert {path.name for path in mixed.reports.iterdir()} == {"history.jsonl", *(f"matrix.{suffix}" for suffix in suffixes)}
    assert {oct(path.stat().st_mode & 0o777) for path in mixed.reports.iterdir()} == {"0o644"}


def test_a_table_in_a_pipe_is_as_wide_as_it_must_be(project: Project):
    versions = [f"1.{minor}.1" for minor in range(10, 30)]
    project.configure({"onnxruntime": versions})
    (head,) = [line for line in project.main("report").out.splitlines() if "1.10.1" in line and "1.29.1" in line]
    assert all(version in head for version in versions)


def test_the_command_that_explains_a_fault_explains_it(mixed, again):
    hints = [line.split() for line in again().out.splitlines() if "python -m harness explain" in line]
    for _python, _m, _harness, command, *arguments in hints:
        # main() adds --config and --store by itself; what the hint says comes last, and wins.
        assert arguments[1::2] == ["--config", "--store"]
        assert mixed.main(command, *arguments).code == 0
    assert len(hints) == 2


def test_cell_prints_every_stage_and_keeps_the_environments(project: Project):
    answer = project.main("cell", "py*")
    assert answer.code == 0
    for stage in ("resolve", "install", "import", "eager", "export", "check", "load", "decode", "parity"):
        assert stage in answer.out
    assert "torchscript-17-pair-keep-cross-numpy: works, largest difference from PyTorch 0.0e+00" in answer.out
    kept = [path for path in (project.store / "envs").iterdir() if path.is_dir()]
    assert kept
    assert all((path / "bin" / "python").exists() for path in kept)


def test_the_environments_that_cell_keeps_outlive_the_next_run(project: Project):
    project.run()
    assert "source " in project.call("cell", "py*").out
    kept = [path for path in (project.store / "envs").iterdir() if path.is_dir()]
    assert len(kept) == 7  # four layers, composed for the export; the run's; and both together
    project.call("run")
    assert all((path / "bin" / "python").exists() for path in kept)


def test_fail_on_answers_with_the_exit_code(mixed, again):
    assert again("--fail-on", "fails").code == 1
    assert again("--fail-on", "error").code == 0
    assert again("--fail-on", "fails", "--select", "onnxruntime==1.16.3").code == 0


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (KeyError("x"), "the harness itself failed: KeyError: 'x' (", 2),
        (OSError(5, "Input/output error"), "Input/output error", 2),
        (OSError(28, "No space left"), "full", 3),
    ],
)
def test_what_nobody_foresaw_is_no_answer(project: Project, monkeypatch, error, words, code):
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "run", fail)
    answer = project.main("run", "--fail-on", "fails")
    assert answer.code == code
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_a_name_that_speaks_of_a_full_disk_is_a_name(tmp_path):
    code, _, err = harness(tmp_path, "show", "No space left on device")
    assert (code, "no published report is named 'No space left on device'" in err) == (2, True)


def test_a_terminal_without_utf_8_ends_no_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    code, out, err = harness(tmp_path, "show")
    assert code == 0, err
    assert "\\u2227" in out


def test_a_log_named_in_the_report_is_there(mixed):
    for cell in mixed.report()["cells"]:
        for variant in cell["variants"]:
            assert variant["log"] is None or (mixed.store / variant["log"]).exists()


def test_version_is_printed_on_stdout(project: Project):
    from harness import __version__

    assert project.main("--version").out.strip() == __version__


def test_a_reader_that_goes_away_is_no_error(mixed, tmp_path):
    with mixed.start("run", "--reports", str(tmp_path), "--quiet", "--format", "json") as child:
        assert child.stdout
        child.stdout.close()
        assert child.stderr
        err = child.stderr.read()
        assert child.wait(60) == 0
    assert "Traceback" not in err


def test_reports_that_cannot_be_written_say_so_before_any_work(project: Project):
    project.reports.mkdir()
    (project.reports / "matrix.md").mkdir()
    answer = project.main("run")
    assert answer.code == 2
    assert "the results are kept in the store" in answer.err
    assert Path(project.store).exists()
