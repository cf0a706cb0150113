"""A missing module: what the probe notices of it, and which distributions may be added."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PAIR, result

from harness.diagnose.remedies.kinds.addition import missing_distribution
from harness.model import Failure, Stage, Status
from harness.verdicts.judge import VariantVerdict


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
    assert lacks(**noticed).missing_module == noticed.get("module")


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
