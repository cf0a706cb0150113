"""An axis may have the name of a field of a variant."""

from __future__ import annotations

import packages
import pytest
from project import Project

pytestmark = pytest.mark.usefixtures("installed_once")

NEEDS_1_1 = """
    import importlib.metadata
    if importlib.metadata.version("binding") == "1.0":
        raise RuntimeError("cannot write this graph")
"""


@pytest.fixture
def named(project: Project) -> Project:
    """The axis `binding`: with its 1.0 torch 2.2 does not export."""
    project.publish(
        packages.package("binding", "1.0"), packages.package("binding", "1.1"), packages.torch("2.2.0", on_export=NEEDS_1_1)
    )
    project.configure({"torch": ["2.2.0"], "binding": ["1.0", "1.1"]})
    return project


@pytest.mark.parametrize(
    ("expression", "versions"),
    [
        ("binding==1.0", ["1.0"]),
        ("binding>1", ["1.1"]),
        ("binding=numpy", ["1.0", "1.1"]),
        ("binding=numpy,binding==1.1", ["1.1"]),
    ],
)
def test_its_versions_and_the_values_of_the_field_are_selected(named, expression, versions):
    cells = named.run("--select", expression)
    assert [cell["pins"]["binding"] for cell in cells.values()] == versions


def test_its_version_is_a_remedy_that_proves_the_cause(named):
    named.remedies = True
    failing = [cell for cell in named.run().values() if cell["status"] == "fails"]
    assert [cell["remedies"] for cell in failing] == [["binding 1.1"]]
    (variant,) = failing[0]["variants"]
    assert (variant["cause"], variant["certainty"]) == ("version conflict", "proven")
