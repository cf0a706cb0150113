"""What mends a failure is found by running it, named where it was run, and told again from the store alone."""

import packages
import pytest
from project import Project

PICKY = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""


@pytest.fixture
def project(project: Project) -> Project:
    project.remedies = True
    return project


def test_a_clash_with_numpy(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY))
    project.configure({"onnxruntime": ["1.17.0"]})
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["numpy<2"])
    assert cell["variants"][0]["remedy"] == "numpy<2"


def test_an_ir_that_the_runtime_refuses(project):
    project.publish(packages.torch("2.6.0", ir=11))
    project.configure({"torch": ["2.6.0"]})
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["ir-version 9"])
