"""Completion as a shell asks for it: a line in the environment, answers in a file."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from harness import report_locations
from harness.cli import completion

ROOT = Path(__file__).parents[3]
DEFAULT = Path("matrix.toml")
PUBLISHED = json.loads((ROOT / "reports" / "matrix.json").read_text(encoding="utf-8"))["cells"][0]["id"]


def completed(folder: Path, line: str) -> list[str]:
    """The words that a shell in `folder` shows after `line`."""
    answers = folder / "answers"
    variables = {
        "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SHELL": "bash", "COMP_LINE": line, "COMP_TYPE": "9",
        "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(answers), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    # As the console script starts it.
    script = "import sys; sys.argv[0] = 'export-matrix'; from harness.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, env={**os.environ, **variables}, check=False)
    assert done.returncode == 0
    return [word.strip() for word in answers.read_text(encoding="utf-8").split("\n")]


def report(folder: Path, *ids: str) -> Path:
    (folder / "reports").mkdir(parents=True)
    path = folder / "reports" / "matrix.json"
    path.write_text(json.dumps({"cells": [{"id": name} for name in ids]}), encoding="utf-8")
    return path


def test_commands_options_and_their_values(tmp_path):
    assert completed(tmp_path, "export-matrix expl") == ["explain"]
    assert {"--select", "--shard"} <= set(completed(tmp_path, "export-matrix run --s"))
    assert completed(tmp_path, "export-matrix run --fail-on ") == ["error", "fails", "flaky", "regressions"]


def test_ids_of_cells_come_from_the_report_here_else_from_the_published_one(tmp_path):
    assert PUBLISHED in completed(tmp_path, "export-matrix explain py")
    report(tmp_path, "py311-t1", "py311-t2", "py312-t1")
    assert completed(tmp_path, "export-matrix explain py311") == ["py311-t1", "py311-t2"]
    assert completed(tmp_path, "export-matrix cell --force py312") == ["py312-t1"]


def test_a_shipped_matrix_that_is_named_has_the_ids_of_its_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report(tmp_path, "own")
    assert completion.cell_ids(Namespace(config=DEFAULT)) == ["own"]
    (tmp_path / "mine.toml").touch()
    assert completion.cell_ids(Namespace(config=tmp_path / "mine.toml")) == ["own"]
    case = ROOT / "catalogue" / "onnx-4475-protobuf" / "matrix.toml"
    found = completion.cell_ids(Namespace(config=case))
    assert found
    assert set(found).isdisjoint({"own", PUBLISHED})


def test_a_published_report_may_be_compressed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report_locations, "ROOT", tmp_path)
    config = tmp_path / "matrix-variants.toml"
    config.touch()
    (tmp_path / "reports" / "variants").mkdir(parents=True)
    content = gzip.compress(json.dumps({"cells": [{"id": "one"}]}).encode())
    (tmp_path / "reports" / "variants" / "matrix.json.gz").write_bytes(content)
    assert completion.cell_ids(Namespace(config=config)) == ["one"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"cells": 3}', '{"cells": [{}]}', "x" * (8 * 2**20 + 1)])
def test_a_report_that_cannot_be_read_completes_nothing(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    report(tmp_path).write_text(content, encoding="utf-8")
    assert completion.cell_ids(Namespace(config=DEFAULT)) == []


def test_it_imports_nothing_that_takes_long():
    """It must be quick: no schema is built, and nothing can be resolved."""
    script = (
        "import sys; from pathlib import Path; from argparse import Namespace; from harness.cli import completion; "
        "from harness.cli.command_line import parser; parser(); "
        "assert completion.cell_ids(Namespace(config=Path('matrix.toml'))); "
        "print({'packaging', 'pydantic', 'rich', 'tabulate'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_help_does_not_import_it():
    script = "import sys; sys.argv = ['x', '--version']; import harness.cli; harness.cli.main()"
    program = f"import atexit, sys; atexit.register(lambda: print('argcomplete' in sys.modules)); {script}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("file", ["harness/__main__.py", "harness/cli/__init__.py"])
def test_global_completion_finds_its_mark(file):
    assert b"PYTHON_ARGCOMPLETE_OK" in (ROOT / file).read_bytes()[:1024]
