"""Published logs: what leads to a machine goes, and what says where the failure is stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import report, reported_cell, reported_variant

from harness.model import Stage, Status
from harness.report import published_logs


@pytest.mark.parametrize(
    ("line", "published"),
    [
        ('  File "<store>/envs/ab/lib/python3.11/site-packages/torch/x.py", line 3', "site-packages/torch/x.py"),
        (
            '  File "/home/bob/My Docs/venv/lib/python3.11/site-packages/torch/x.py", line 3',
            '"…/lib/python3.11/site-packages/torch/x.py"',
        ),
        ("see https://github.com/pytorch/pytorch/issues/1234", "see https://github.com/pytorch/pytorch/issues/1234"),
        ("Name:'/model/decoder/layers.0/MatMul'", "Name:'/model/decoder/layers.0/MatMul'"),
        (f"{Path.home()}/.cache/x", "…/.cache/x"),
        ("https://user:secret@host/simple", "https://***@host/simple"),
    ],
)
def test_a_line(tmp_path, line, published):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "one.log").write_text(f"{line}\n")
    failing = reported_variant(Status.FAILS, Stage.LOAD, error="no", log="logs/one.log", signature="0123456789ab")
    found, logs = published_logs.published(report(reported_cell(failing)), tmp_path)
    assert found.cells[0].variants[0].log == "logs/load-0123456789ab.log"
    (text,) = logs.values()
    assert published in text
    assert "bob" not in text
    assert "secret" not in text


def test_of_several_variants_each_has_its_own_part(tmp_path):
    (tmp_path / "logs").mkdir()
    failing = reported_variant(Status.FAILS, Stage.LOAD, error="no", log="logs/one.log", signature="0123456789ab")
    name = failing.id
    parts = {"other": "Theirs", name: "Ours", "third": "Too"}
    log = "before\n" + "".join(f"\n--- {part}: fails at load ---\n{text}\n" for part, text in parts.items())
    (tmp_path / "logs" / "one.log").write_text(log)
    _, logs = published_logs.published(report(reported_cell(failing)), tmp_path)
    assert list(logs.values()) == [f"\n--- {name}: fails at load ---\nOurs\n"]
