"""Other versions on an axis: those of cells, and those of an index."""

from __future__ import annotations

import pytest
from values import resolved

from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.kinds.axis_version import MAJOR, MINOR, PATCH
from harness.model import Status
from harness.verdicts.judge import Verdict


def test_steps_on_an_axis_small_ones_first_newer_ones_first_the_runtime_last():
    versions = ({"torch": "2.6.0"}, {"torch": "2.2.0"}, {"torch": "2.0.0"}, {"torch": "2.1.1"}, {"onnxruntime": "1.17.0"})
    others = [*versions, {"transformers": "5.0.0"}, {"onnxruntime": "1.16.2"}]
    near = [Verdict(resolved=resolved(**pins), status=Status.WORKS, variants=()) for pins in others]
    found = [change.text for kind in (PATCH, MINOR) for change in kind.of_cells(resolved().cell, near)]
    assert found == [
        "torch 2.1.1",
        "onnxruntime 1.16.2",
        "torch 2.2.0",
        "torch 2.6.0",
        "onnxruntime 1.17.0",
        "torch 2.0.0",
    ]


@pytest.mark.parametrize(
    ("own", "other", "kind"),
    [
        ("1.16.3", "1.16.0", PATCH),
        ("1.16.3", "1.17.0", MINOR),
        ("1.16.3", "2.0.0", MAJOR),
        ("3.11", "3.12", MINOR),
        ("2.13.0+cpu", "2.13.1", PATCH),
        ("2.13.0", "2.13.0.post1", PATCH),
        ("2.1", "2.1.post1", PATCH),
        ("1.0.0", "1!1.0.0", MAJOR),
    ],
)
def test_how_large_a_step_is(own, other, kind):
    changes = [change for kind in KINDS if (change := kind.between_versions("onnx", own, other))]
    assert [(change.kind, change.pin) for change in changes] == [(kind, ("onnx", other))]


def test_what_an_index_is_asked_for():
    cell = resolved().cell
    assert PATCH.requirements(cell, "onnxruntime") == ["onnxruntime>=1.16.3,!=1.16.3,==1.16.*"]
    assert MINOR.requirements(cell, "onnxruntime") == ["onnxruntime>1.16.3,==1.17.*", "onnxruntime>1.16.3,<2"]
    assert MAJOR.requirements(cell, "onnxruntime") == []


def test_what_an_index_is_asked_for_has_the_epoch():
    cell = resolved(onnxruntime="1!2.0").cell
    assert PATCH.requirements(cell, "onnxruntime") == ["onnxruntime>=1!2.0,!=1!2.0,==1!2.0.*"]
    assert MINOR.requirements(cell, "onnxruntime") == ["onnxruntime>1!2.0,==1!2.1.*", "onnxruntime>1!2.0,<1!3"]


def test_of_post_releases_the_nearest_is_first():
    near = [
        Verdict(resolved=resolved(onnxruntime=version), status=Status.WORKS, variants=())
        for version in ("1.16.4", "1.16.3.post2", "1.16.3.post1")
    ]
    found = [change.text for change in PATCH.of_cells(resolved().cell, near)]
    assert found == ["onnxruntime 1.16.3.post1", "onnxruntime 1.16.3.post2", "onnxruntime 1.16.4"]
