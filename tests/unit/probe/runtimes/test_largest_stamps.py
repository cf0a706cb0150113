"""The largest stamps that a runtime runs."""

from __future__ import annotations

import pytest

from harness.probe.identity_model import identity_model
from harness.probe.runtimes.largest_stamps import largest_stamps


@pytest.mark.parametrize(
    ("refused", "max_ir", "max_opset"),
    [
        (identity_model(10, 13), 9, None),
        (identity_model(8, 14), None, 13),
        (identity_model(8, 13), None, None),
        (b"", None, None),
    ],
    ids=["an IR", "an opset", "all", "nothing"],
)
def test_a_limit_is_what_comes_before_the_first_stamp_that_is_refused(refused, max_ir, max_opset):
    tried = []
    limits = largest_stamps(lambda model: [tried.append(model), model != refused][1])
    assert limits == {"max_ir": max_ir, "max_opset": max_opset}
    assert len(tried) < 200
