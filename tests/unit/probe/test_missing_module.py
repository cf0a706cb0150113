"""What the probe records of a module that is missing."""

from __future__ import annotations

import itertools

import pytest

from harness.probe import missing_module


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
    found = missing_module.missing_module(exc).get("missing")
    assert found == (noticed and dict(zip(("module", "distribution", "named"), noticed, strict=True)))


def test_what_the_metadata_of_an_installed_distribution_requires_is_named(monkeypatch):
    class Installed:
        requires = ("absent_here>=1; extra == 'all'", "numpy", "-e nonsense")

    monkeypatch.setattr(missing_module.importlib.metadata, "distributions", lambda: [Installed()])
    found = missing_module.missing_module(ModuleNotFoundError("no", name="absent_here"))
    assert found["missing"]["named"] is True
