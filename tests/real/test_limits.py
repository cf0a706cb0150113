"""The published limits against the onnxruntime that the tests have."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import onnxruntime
import pytest
from harness_run import ROOT
from packaging.version import Version

from harness import published_reports

pytestmark = pytest.mark.real


def test_the_published_limits_hold_here():
    done = subprocess.run(
        [sys.executable, str(ROOT / "limits" / "in_environment.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    measured = json.loads(done.stdout.splitlines()[-1])
    here = Version(onnxruntime.__version__)
    limits = {Version(version): limit for version, limit in published_reports.runtime_limits().items()}
    # The tests take the newest release, which may be younger than the file.
    nearest = limits[max(version for version in limits if version <= here)]
    assert measured["external"]["plain"] is None
    assert (measured["oldest_ir"], measured["oldest_opset"]) == (nearest.oldest_ir, nearest.oldest_opset)
    if here in limits:
        assert (measured["ir"], measured["opset"], measured["opset_some"]) == (nearest.ir, nearest.opset, nearest.opset_some)
        assert measured["external"] == nearest.external
        assert measured["refusal_ir"] == nearest.refusal_ir
    else:
        assert measured["ir"] >= nearest.ir
        assert measured["opset"] >= nearest.opset
