"""What is imported by name, and which version it is recorded with: an import that works never fails for want of one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from wheels import Wheel

from harness.probe import distributions
from harness.probe.imports import import_stage
from harness.probe.journal import Journal


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts wheels, unpacked, on a path of their own."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    distributions._installed.cache_clear()
    known = set(sys.modules)

    def unpack(*wheels: Wheel) -> Path:
        import zipfile

        for wheel in wheels:
            with zipfile.ZipFile(wheel.write(tmp_path)) as archive:
                archive.extractall(site)
        return site

    yield unpack
    for name in set(sys.modules) - known:
        del sys.modules[name]
    distributions._installed.cache_clear()


def recorded(tmp_path: Path, *names: str) -> dict:
    journal = Journal(str(tmp_path / "events"))
    import_stage(journal, names)
    return json.loads((tmp_path / "events").read_text().splitlines()[-1])


def versions(tmp_path: Path, *names: str) -> dict:
    end = recorded(tmp_path, *names)
    assert (end["status"], end["error"]) == ("works", None)
    return end["data"]["versions"]


def test_a_submodule_has_the_version_of_its_distribution(tmp_path, install):
    install(Wheel(name="fakeonnx", version="1.19.1", files={"fakeonnx/__init__.py": "", "fakeonnx/helper.py": ""}))
    assert versions(tmp_path, "fakeonnx.helper", "fakeonnx") == {"fakeonnx.helper": "1.19.1", "fakeonnx": "1.19.1"}


def test_a_module_of_another_name_than_its_distribution(tmp_path, install):
    install(Wheel(name="fake-pillow", version="11.0", files={"FakePIL/__init__.py": "", "FakePIL/Image.py": ""}))
    assert versions(tmp_path, "FakePIL", "FakePIL.Image") == {"FakePIL": "11.0", "FakePIL.Image": "11.0"}


def test_a_namespace_is_of_all_who_bring_a_part_and_a_part_of_its_own(tmp_path, install):
    install(
        Wheel(name="fake-protobuf", version="6.1", files={"fakegoogle/protobuf/__init__.py": ""}),
        Wheel(name="fake-auth", version="2.0", files={"fakegoogle/auth/__init__.py": ""}),
    )
    found = versions(tmp_path, "fakegoogle", "fakegoogle.protobuf")
    assert sorted(found["fakegoogle"].split(", ")) == ["2.0", "6.1"]
    assert found["fakegoogle.protobuf"] == "6.1"


def test_a_module_without_a_distribution_has_no_version(tmp_path, install):
    site = install()
    (site / "lies_there.py").write_text("")
    assert versions(tmp_path, "lies_there", "json.decoder") == {"lies_there": None, "json.decoder": None}


def test_a_module_that_answers_for_its_attributes_badly_is_imported_all_the_same(tmp_path, install):
    broken = "def __getattr__(name):\n    raise RuntimeError(name)\n"
    install(Wheel(name="lazyfake", version="3.0", files={"lazyfake/__init__.py": broken}))
    assert versions(tmp_path, "lazyfake") == {"lazyfake": "3.0"}


def test_a_version_that_is_a_module_is_not_one(tmp_path, install):
    files = {"fakepkg/__init__.py": "from fakepkg import __version__", "fakepkg/__version__.py": ""}
    install(Wheel(name="fakepkg", version="0.7", files=files))
    assert versions(tmp_path, "fakepkg") == {"fakepkg": "0.7"}


def test_a_submodule_that_its_package_lacks_is_a_fact(tmp_path, install):
    install(Wheel(name="fakeonnx", version="1.19.1", files={"fakeonnx/__init__.py": ""}))
    end = recorded(tmp_path, "fakeonnx.reference")
    assert end["status"] == "fails"
    assert end["error"]["message"] == "import fakeonnx.reference: ModuleNotFoundError: No module named 'fakeonnx.reference'"


def test_a_package_that_nothing_brings_is_an_error(tmp_path):
    assert recorded(tmp_path, "nobody_brings_this.part")["status"] == "error"
