"""The sections of refusals on the page of `lookup`, as lines."""

from __future__ import annotations

from harness.decide.exporter_refusals import ExporterRefusal
from harness.decide.missing_releases import MissingReason, MissingRelease
from harness.decide.model_support import Reading
from harness.decide.name_refusals import NameRefusal
from harness.decide.numpy_refusals import NumpyRefusal
from harness.decide.refusals import Refusal
from harness.decide.runtime_refusals import FormatRefusal, OperatorRefusal, Takes
from harness.decide.version_conflicts import VersionConflict
from harness.report.formats import format_named
from harness.report.pages import lookup

READS, UNKNOWN, REFUSES = Reading.READS, Reading.UNKNOWN, Reading.REFUSES


def lines(*refusals: Refusal) -> list[str]:
    text = format_named("text").render(lookup.recognised([], {}, refusals))
    assert isinstance(text, str)
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_a_version_above_the_limit_names_who_reads_it_and_who_has_that_limit():
    readings = {"1.16.3": REFUSES, "1.17.3": REFUSES, "1.18.1": READS, "1.20.1": READS}
    shown = lines(FormatRefusal(format="IR version", asked=10, limit=9, saying=("1.16.3", "1.17.3"), readings=readings))
    assert shown[0] == "recognised: fails at load: IR version 10, where 9 is the largest"
    assert "onnxruntime 1.18.1 and later read IR version 10; 1.17.3 and older do not" in shown
    assert "the limit 9 is that of onnxruntime 1.16.3 to 1.17.3" in shown
    assert any(line.startswith("the stamp can be set to 9 if the model uses nothing newer") for line in shown)


def test_a_limit_that_no_measured_release_has_is_said_so():
    readings = {"1.16.3": READS, "1.18.1": READS}
    shown = lines(FormatRefusal(format="opset of ai.onnx", asked=16, limit=15, saying=(), readings=readings))
    assert "each of the 2 measured onnxruntimes reads opset 16 of ai.onnx" in shown
    assert "no onnxruntime with the limit 15 was measured; 1.16.3 to 1.18.1 were" in shown
    unmeasured = lines(FormatRefusal(format="opset of com.example", asked=2, limit=1, saying=(), readings={}))
    assert "this was not measured: opset of com.example" in unmeasured


def test_an_operator_is_shown_with_the_types_it_takes():
    takes = (
        Takes(since=14, types=("tensor(float)",), runtimes=("1.17.3",)),
        Takes(since=14, types=("tensor(bool)", "tensor(float)"), runtimes=("1.18.1",)),
    )
    readings = {"1.16.3": REFUSES, "1.17.3": UNKNOWN, "1.18.1": UNKNOWN}
    shown = lines(
        OperatorRefusal(operator="Trilu", since=14, type=None, takes=takes, castable=False, later=(), readings=readings)
    )
    assert shown[0] == "recognised: fails at load: no kernel for Trilu-14"
    assert "Trilu-14 takes tensor(float): 1.17.3" in shown
    assert "Trilu-14 takes tensor(bool), tensor(float): 1.18.1" in shown
    assert "no kernel of Trilu-14 in 1.16.3 (3 measured)" in shown
    assert "releases before 1.16.3 list no kernels: of them nothing is known" in shown


def test_of_an_old_form_without_a_kernel_the_later_ones_are_named():
    given = {
        "operator": "Mul",
        "since": 6,
        "type": None,
        "takes": (),
        "castable": False,
        "readings": {"1.16.3": REFUSES, "1.18.1": REFUSES},
    }
    shown = lines(OperatorRefusal(**given, later=(7, 13)))
    assert "there are kernels of Mul-7, Mul-13: a model of opset 7 or later has one of these forms" in shown
    assert not any("there are kernels" in line for line in lines(OperatorRefusal(**given, later=())))


def test_a_type_that_an_operator_does_not_take_is_looked_for():
    takes = (Takes(since=11, types=("tensor(float)",), runtimes=("1.16.3", "1.18.1")),)
    given = {"operator": "Range", "since": None, "type": "tensor(float16)", "takes": takes, "castable": False, "later": ()}
    shown = lines(OperatorRefusal(**given, readings={"1.16.3": REFUSES, "1.18.1": REFUSES}))
    assert shown[0] == "recognised: fails at load: Range does not take tensor(float16)"
    assert "none of the 2 measured onnxruntimes has a kernel for tensor(float16)" in shown
    some = lines(OperatorRefusal(**given, readings={"1.16.3": REFUSES, "1.18.1": READS}))
    assert "onnxruntime 1.18.1 has a kernel for tensor(float16) (2 measured)" in some


def test_a_cast_is_advised_where_it_keeps_the_numbers():
    takes = (Takes(since=10, types=("tensor(float)",), runtimes=("1.23.2",)),)
    given = {"operator": "Trilu", "since": 14, "type": None, "takes": takes, "later": (), "readings": {"1.23.2": UNKNOWN}}
    assert any("takes a Cast" in line for line in lines(OperatorRefusal(**given, castable=True)))
    assert not any("Cast" in line for line in lines(OperatorRefusal(**given, castable=False)))


def test_an_operator_of_an_exporter_names_the_torches_and_opsets_that_translate_it():
    refusal = ExporterRefusal(
        exporter="torchscript",
        operator="aten::scaled",
        opset=12,
        first_opsets={"2.1.2": 14, "2.6.0": 14, "2.9.1": 12},
        readings={"2.0.1": REFUSES, "2.1.2": UNKNOWN, "2.6.0": UNKNOWN, "2.9.1": READS},
        onnxscripts=(),
        functions={"aten.scaled.default": ("2.6.0", "2.9.1")},
    )
    shown = lines(refusal)
    assert (
        shown[0] == "recognised: fails at export: the torchscript exporter found no translation of aten::scaled with opset 12"
    )
    assert "torch 2.9.1 has a translation of aten::scaled with opset 12 (2.0.1 to 2.9.1 measured)" in shown
    assert "from opset 14 on: torch 2.1.2 to 2.6.0" in shown
    assert "the dynamo exporter has a function for aten.scaled.default: torch 2.6.0 and later" in shown


def test_an_operator_that_no_exporter_translates_is_said_so():
    readings = {"2.6.0": REFUSES, "2.9.1": REFUSES}
    refusal = ExporterRefusal(
        exporter="dynamo",
        operator="aten.mul.Scalar",
        opset=None,
        first_opsets={},
        readings=readings,
        onnxscripts=("0.7.2",),
        functions={},
    )
    shown = lines(refusal)
    assert shown[0] == "recognised: fails at export: the dynamo exporter found no translation of aten.mul.Scalar"
    assert "no torch has a translation of aten.mul.Scalar (2.6.0 to 2.9.1 measured, with onnxscript 0.7.2)" in shown


def test_where_every_torch_has_a_translation_it_is_the_use_that_fails():
    given = {
        "exporter": "dynamo",
        "operator": "aten.mul.Scalar",
        "opset": None,
        "first_opsets": {},
        "functions": {},
        "onnxscripts": ("0.7.2",),
    }
    every = lines(ExporterRefusal(**given, readings={"2.6.0": READS, "2.9.1": READS}))
    said = (
        "each of them has one: a torch before 2.6.0, which was not measured, may lack it, another onnxscript may lack it, "
        "or its types or its arguments are what fails"
    )
    assert said in every
    one = lines(ExporterRefusal(**given, readings={"2.6.0": REFUSES, "2.9.1": READS}))
    assert not any("each of them has one" in line for line in one)


def test_a_type_that_each_release_takes_is_that_of_another_form_or_input():
    takes = (
        Takes(since=8, types=("tensor(float)",), runtimes=("1.16.3", "1.18.1")),
        Takes(since=12, types=("tensor(float)", "tensor(int64)"), runtimes=("1.16.3", "1.18.1")),
    )
    given = {"operator": "Max", "since": None, "type": "tensor(int64)", "castable": True, "later": ()}
    given |= {"readings": {"1.16.3": READS, "1.18.1": READS}}
    shown = lines(OperatorRefusal(**given, takes=takes))
    assert shown[0] == "recognised: fails at load: Max does not take tensor(int64)"
    assert any(line.startswith("each of the 2 measured onnxruntimes has a kernel of Max for tensor(int64)") for line in shown)
    assert "the forms that have such a kernel: Max-12" in shown
    assert not any("1.16.3" in line for line in shown)
    assert not any("the forms" in line for line in lines(OperatorRefusal(**given, takes=takes[1:])))


def test_a_missing_name_is_shown_with_the_releases_that_have_it():
    readings = {"2.0.1": REFUSES, "2.1.2": READS, "2.6.0": READS}
    shown = lines(NameRefusal(package="torch", module="torch", name="compiler", unimported=False, readings=readings))
    assert shown[0] == "recognised: fails: this torch has no torch.compiler"
    assert "torch 2.1.2 and later have it" in shown
    assert "torch 2.0.1 lacks it" in shown
    assert "3 releases were looked at, 2.0.1 to 2.6.0: of older ones nothing is known" in shown
    readings = {"1.0": READS, "2.0": REFUSES}
    module = NameRefusal(package="optimum", module="optimum.exporters", name=None, unimported=True, readings=readings)
    assert lines(module)[0] == "recognised: fails: this optimum has no module optimum.exporters, or nothing has imported it"
    assert "with a release that has it, this comes first: import optimum.exporters" in lines(module)


def test_a_conflict_is_shown_with_what_works():
    named = {"package": "onnx", "version": "1.14.1", "needed": "protobuf", "bounds": ">=3.20.2", "found": "3.20.0"}
    shown = lines(VersionConflict(**named, measured={"5.26.0": 1, "4.25.0": 3}, instead={}))
    assert shown[0] == "recognised: fails at resolve: onnx 1.14.1 asks for protobuf>=3.20.2, and the text has 3.20.0"
    assert "onnx 1.14.1 works with protobuf 5.26.0 (1 cell), 4.25.0 (3 cells)" in shown
    assert "no published report has a cell with protobuf 3.20.0 that works" in shown
    many = VersionConflict(**named, measured={f"5.{number}.0": 1 for number in range(10)}, instead={"1.13.0": 2})
    assert any(line.endswith("5.7.0 (1 cell), and 2 more") for line in lines(many))
    assert "protobuf 3.20.0 works with onnx 1.13.0 (2 cells)" in lines(many)


def test_a_release_without_a_wheel_is_shown_with_the_pythons_that_it_has():
    given = {
        "package": "onnxruntime",
        "version": "1.16.3",
        "reason": MissingReason.NO_WHEEL,
        "cutoff": False,
        "pythons": {"3.11": 48},
    }
    shown = lines(MissingRelease(**given, offered=("1.17.0", "1.18.1"), working={"1.18.1": 3}))
    assert shown[0] == "recognised: fails at resolve: onnxruntime 1.16.3 has no wheel for this Python or platform"
    assert "onnxruntime 1.16.3 works with python 3.11 (48 cells)" in shown
    assert "what is found: 2 releases, 1.17.0 to 1.18.1" in shown
    assert "of these, onnxruntime works with the versions 1.18.1 (3 cells)" in shown
    assert not any("found" in line or "of these" in line for line in lines(MissingRelease(**given, offered=(), working={})))
    unfound = lines(
        MissingRelease(**{**given, "reason": MissingReason.NOT_FOUND, "pythons": {}}, offered=("1.17.0",), working={})
    )
    assert unfound[0] == "recognised: fails at resolve: pip finds no onnxruntime 1.16.3 for this Python and platform"
    assert "what is found: 1 release, 1.17.0" in unfound
    assert not any("there is such a release" in line for line in unfound), "nobody has it"


def test_a_release_that_an_index_has_not_is_shown_with_the_cells_that_have_it():
    absent = {"package": "torch", "reason": MissingReason.ABSENT, "working": {}}
    given = {**absent, "version": "2.4.1", "pythons": {"3.11": 2}, "offered": ()}
    shown = lines(MissingRelease(**given, cutoff=False))
    assert shown[0] == "recognised: fails at resolve: the index that was asked has no torch 2.4.1, or hides it"
    assert "torch 2.4.1 works with python 3.11 (2 cells)" in shown
    assert any(line.startswith("so there is such a release") for line in shown)
    dated = lines(MissingRelease(**given, cutoff=True))
    assert any(line.startswith("the text has `exclude-newer`") for line in dated)
    assert not any("so there is such a release" in line for line in dated)
    build = {**absent, "version": "2.4.1+cu121", "pythons": {}, "cutoff": False}
    hint = "PyPI has no builds such as +cu121"
    assert any(line.startswith(hint) for line in lines(MissingRelease(**build, offered=())))
    assert not any(line.startswith(hint) for line in lines(MissingRelease(**build, offered=("2.5.1+cu121",))))
    every = lines(
        MissingRelease(
            package="x", version=None, reason=MissingReason.NOT_FOUND, cutoff=False, offered=(), pythons={}, working={}
        )
    )
    assert every[0] == "recognised: fails at resolve: pip finds no x for this Python and platform"
    assert "no published report has a cell with x that works" in every


def test_a_numpy_that_is_too_old_is_shown_with_those_that_are_not():
    readings = {"1.19.5": REFUSES, "1.20.3": READS, "1.26.4": READS}
    shown = lines(NumpyRefusal(part="API", asked=14, found=13, having=("1.19.5",), readings=readings))
    assert shown[0] == ("recognised: fails at import: a module was compiled for numpy's C API 0xe, and this numpy has 0xd")
    assert "take a numpy with 0xe or more: 1.20.3 to 1.26.4" in shown
    assert "0xd is that of numpy 1.19.5" in shown
    other = lines(
        NumpyRefusal(
            part="ABI", asked=16777225, found=33554432, having=("2.0.2",), readings={"1.26.4": READS, "2.0.2": REFUSES}
        )
    )
    assert "take a numpy with 0x1000009: 1.26.4" in other
    assert "0x2000000 is that of numpy 2.0.2" in other
    none = lines(NumpyRefusal(part="API", asked=99, found=13, having=("1.19.5",), readings={"1.19.5": REFUSES}))
    assert "no measured numpy has 0x63: 1.19.5 to 1.19.5 were measured" in none


def test_what_another_distribution_has_is_to_be_installed():
    shown = lines(NameRefusal(package="optimum-onnx", module="optimum.x", name=None, unimported=False, readings={"0.1": READS}))
    assert shown[0] == "recognised: fails: optimum-onnx has module optimum.x"
    assert "it is a distribution of its own, which is not installed: optimum-onnx" in shown
