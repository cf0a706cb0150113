"""A missing module: what the probe notices of it, and which distributions may be added."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from values import PAIR, result

from harness.diagnose.remedies.kinds.addition import missing_distribution
from harness.model import Failure, Stage, Status
from harness.probe import missing_module as probe_missing
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.missing_module import missing_module


def lacks(stage: Stage = Stage.EXPORT, message: str = "no", **noticed: object) -> VariantVerdict:
    failed = replace(
        result(stage, Status.FAILS), error=Failure(type="ModuleNotFoundError", message=message), data={"missing": noticed}
    )
    return VariantVerdict(variant=PAIR, status=Status.FAILS, results=(failed,))


@pytest.mark.parametrize(
    ("noticed", "added"),
    [
        ({"module": "onnxscript", "distribution": "onnxscript", "named": False}, "onnxscript"),
        ({"module": "coloredlogs", "distribution": "coloredlogs", "named": True}, "coloredlogs"),
        # Nobody vouches for it.
        ({"module": "onnxscrlpt", "distribution": "onnxscrlpt", "named": False}, None),
        # What a record says is no name.
        ({"module": "x", "distribution": "-e /tmp/x", "named": True}, None),
        ({"module": "x", "distribution": "x\ny", "named": True}, None),
        ({"module": "x", "distribution": ["x"], "named": True}, None),
        ({"module": "x", "named": True}, None),
        ({}, None),
    ],
)
def test_only_what_somebody_vouches_for_is_added(noticed, added):
    assert missing_distribution(lacks(**noticed)) == (("export", added) if added else None)
    assert missing_module(lacks(**noticed)) == noticed.get("module")


@pytest.mark.parametrize(
    ("stage", "message", "side"),
    [
        (Stage.IMPORT, "import transformers: No module named 'scipy'", "export"),
        (Stage.IMPORT, "import onnxruntime: No module named 'scipy'", "run"),
        (Stage.EAGER, "no", "export"),
        (Stage.LOAD, "no", "run"),
    ],
)
def test_it_is_added_to_the_side_that_lacks_it(stage, message, side):
    assert missing_distribution(lacks(stage, message, module="scipy", distribution="scipy", named=False)) == (side, "scipy")


def raised(*errors: BaseException) -> BaseException:
    """The last of `errors`, each raised for the one before."""
    for cause, error in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


@pytest.mark.parametrize(
    ("exc", "noticed"),
    [
        (ModuleNotFoundError("no", name="absent_here.deeper"), ("absent_here", "absent-here", False)),
        (
            raised(ModuleNotFoundError("no", name="absent_here"), RuntimeError("it failed")),
            ("absent_here", "absent-here", False),
        ),
        (RuntimeError("failed: No module named 'absent_here'"), ("absent_here", "absent-here", False)),
        (ModuleNotFoundError("no", name="cv2"), ("cv2", "opencv-python-headless", False)),
        # A part of a package that is there is no missing distribution.
        (ModuleNotFoundError("No module named 'json.absent'", name="json.absent"), None),
        (ValueError("something else"), None),
    ],
)
def test_what_the_probe_notices(exc, noticed):
    found = probe_missing.missing_module(exc).get("missing")
    assert found == (noticed and dict(zip(("module", "distribution", "named"), noticed, strict=True)))


def test_what_the_metadata_of_an_installed_distribution_requires_is_named(monkeypatch):
    class Installed:
        requires = ("absent_here>=1; extra == 'all'", "numpy", "-e nonsense")

    monkeypatch.setattr(probe_missing.importlib.metadata, "distributions", lambda: [Installed()])
    found = probe_missing.missing_module(ModuleNotFoundError("no", name="absent_here"))
    assert found["missing"]["named"] is True
