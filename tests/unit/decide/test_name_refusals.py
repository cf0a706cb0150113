"""Names that a package of a text does not define, against what releases may define."""

from __future__ import annotations

import pytest

from harness.decide.model_support import Reading
from harness.decide.name_refusals import NameRefusal, name_refusals
from harness.verdicts.package_names import MeasuredNames, PackageNames

READS, REFUSES = Reading.READS, Reading.REFUSES
MEASURED = MeasuredNames(
    schema=1,
    packages={
        "torch": PackageNames(
            releases=["2.0.1", "2.1.2", "2.6.0"],
            modules={"torch.inside": "1-2", "torch.old": "0"},
            names={
                "torch": {"inside": "1-2", "compiler": "1-2", "gone": "0", "always": "0-2"},
                "torch.onnx.utils": {"_scale": "2"},
            },
        ),
        "transformers": PackageNames(releases=["4.36.2", "4.57.6"], modules={"transformers.models.qwen3_moe": "1"}, names={}),
        "optimum": PackageNames(
            releases=["1.16.2", "1.27.0", "2.0.0"],
            modules={"optimum.exporters.onnx": "0-1"},
            names={"optimum.exporters.onnx.model_configs": {"Qwen3MoeOnnxConfig": "1", "MPTOnnxConfig": "1"}},
        ),
        "optimum-onnx": PackageNames(releases=["0.0.1", "0.1.0"], modules={"optimum.exporters.onnx": "1"}, names={}),
    },
)


def refusals(text: str) -> list[NameRefusal]:
    return name_refusals(text, lambda: MEASURED)


def missing(name: str, module: str, file: str = "/x/lib/python3.11/site-packages/torch/__init__.py") -> str:
    return f"ImportError: cannot import name '{name}' from '{module}' ({file})"


@pytest.mark.parametrize(
    "text",
    [
        missing("compiler", "torch"),
        missing("compiler", "torch", r"C:\Users\x\venv\Lib\site-packages\torch\__init__.py"),
        "ImportError: cannot import name 'compiler' from 'torch'",
        "AttributeError: module 'torch' has no attribute 'compiler'",
        "AttributeError: module \u2018torch\u2019 has no attribute \u2018compiler\u2019. Did you mean: 'compile'?",
    ],
)
def test_a_name_is_held_against_what_each_release_defines(text):
    (refusal,) = refusals(text)
    assert (refusal.package, refusal.module, refusal.name) == ("torch", "torch", "compiler")
    assert refusal.readings == {"2.0.1": REFUSES, "2.1.2": READS, "2.6.0": READS}


@pytest.mark.parametrize(
    "text",
    ["module 'torch' has no attribute 'always'", missing("always", "torch"), missing("always", "torch", "unknown location")],
)
def test_what_every_release_has_is_missing_in_what_is_none_of_them(text):
    (refusal,) = refusals(text)
    assert refusal.readings == {"2.0.1": READS, "2.1.2": READS, "2.6.0": READS}


def test_a_module_is_held_against_the_releases_of_all_distributions_that_may_bring_it():
    found = refusals("ModuleNotFoundError: No module named 'optimum.exporters.onnx'")
    assert {refusal.package: refusal.readings for refusal in found} == {
        "optimum": {"1.16.2": READS, "1.27.0": READS, "2.0.0": REFUSES},
        "optimum-onnx": {"0.0.1": REFUSES, "0.1.0": READS},
    }
    assert {refusal.name for refusal in found} == {None}


@pytest.mark.parametrize(
    "text",
    [
        missing("nothing", "torch"),
        missing("compiler", "torch.onnx"),
        missing("compiler", "torch", "/home/x/torch.py"),
        missing("compiler", "torch", "/home/x/a (copy)/torch.py"),
        missing("compiler", "torch", r"C:\Program Files (x86)\a\torch.py"),
        missing("compiler", "torch", "unknown location"),
        "cannot import name 'compiler' from partially initialized module 'torch' (most likely due to a circular import)",
        "AttributeError: partially initialized module 'torch' has no attribute 'compiler'",
        "No module named 'torch'",
        "No module named 'torch.inside'; 'torch' is not a package",
        "module 'torch' has no attribute 'compiler' (consider renaming '/home/x/torch.py' if it has the same name as a library",
        "module 'numpy' has no attribute 'object'",
    ],
)
def test_what_another_release_would_not_bring_is_no_refusal(text):
    assert refusals(text) == []


@pytest.mark.parametrize(
    ("text", "unimported"),
    [
        (missing("inside", "torch"), False),
        ("module 'torch' has no attribute 'inside'", True),
        ("No module named 'torch.inside'", False),
    ],
)
def test_a_module_may_be_there_and_not_imported(text, unimported):
    (refusal,) = refusals(text)
    assert (refusal.module, refusal.name, refusal.unimported) == ("torch.inside", None, unimported)
    assert refusal.readings == {"2.0.1": REFUSES, "2.1.2": READS, "2.6.0": READS}


def test_a_text_is_answered_once_for_each_name():
    text = "\n".join([missing("compiler", "torch"), missing("compiler", "torch"), missing("_scale", "torch.onnx.utils")])
    assert [refusal.name for refusal in refusals(text)] == ["compiler", "_scale"]


def test_a_model_type_is_held_against_the_releases_that_have_it():
    text = "The checkpoint has model type `qwen3-moe` but Transformers does not recognize this architecture. This could"
    (refusal,) = refusals(text)
    assert (refusal.module, refusal.readings) == ("transformers.models.qwen3_moe", {"4.36.2": REFUSES, "4.57.6": READS})
    assert refusals(text.replace("qwen3-moe", "unheard")) == []


@pytest.mark.parametrize(("model_type", "name"), [("qwen3_moe", "Qwen3MoeOnnxConfig"), ("mpt", "MPTOnnxConfig")])
def test_what_optimum_exports_is_held_against_its_classes(model_type, name):
    text = f"ValueError: Trying to export a {model_type} model, that is a custom or unsupported architecture, but no custom"
    (refusal,) = refusals(text)
    assert (refusal.package, refusal.name) == ("optimum", name)
    assert refusal.readings == {"1.16.2": REFUSES, "1.27.0": READS, "2.0.0": REFUSES}
    assert refusals(text.replace(model_type, "unheard")) == []


def test_nothing_is_read_where_no_name_is_missing():
    assert name_refusals("RuntimeError: no", lambda: pytest.fail("names.json was read")) == []
