"""Selection expressions."""

from __future__ import annotations

import pytest

from harness.errors import SelectionError
from harness.matrix.selection import Selection, parse
from harness.model import Cell, Setup, Variant

CELL = Cell(
    id="py311-t240-tf4463-o1162-r1163",
    python="3.11",
    pins=(("torch", "2.4.0"), ("transformers", "4.46.3"), ("onnx", "1.16.2"), ("onnxruntime", "1.16.3")),
)
VARIANT = Variant(exporter="torchscript", opset=17, layout="pair")


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("onnxruntime==1.16.3", True),
        ("onnxruntime=1.16.3", True),
        ("onnxruntime==1.16.*", True),
        ("onnxruntime==1.16", False),
        ("onnxruntime!=1.16.3", False),
        ("torch>=2.4,transformers<5", True),
        ("torch>=2.4,transformers<4", False),
        ("torch>=2.4,<2.6", True),
        ("torch>=2.0,<2.4", False),
        ("torch>=2.4, torch<2.5", True),
        ("torch~=2.4", True),
        ("torch===2.4.0", True),
        ("Torch >= 2.4", True),
        ("python==3.11", True),
        ("python==3.12", False),
        ("exporter=torchscript", True),
        ("exporter==torchscript", True),
        ("exporter=dynamo", False),
        ("exporter=torch*", True),
        ("opset=17", True),
        ("opset==17", True),
        ("opset = 17", True),
        ("ir-version=stamped", True),
        ("ir_version=stamped", True),
        ("ir-version=9", False),
        ("opset=18", False),
        ("layout=pair,feedback=keep-cross,binding=numpy", True),
        ("setup=together", True),
        ("environment=together", True),
        ("environment=handoff", False),
        ("id=*-t240-*", True),
        ("id=*-handoff", False),
        ("exporter=torchscript,torch>=2.4,<2.5", True),
        ("torch>=2.4,exporter=dynamo", False),
        ("optimum>=1", False),
        ("optimum=absent", True),
        ("optimum==absent", True),
        ("optimum = absent", True),
        ("optimum!=absent", False),
        ("torch=absent", False),
        ("torch!=absent", True),
        ("torch!=absent,<2.5", True),
        ("torch>=2.4,!=absent", True),
        ("torch>=2.4,optimum=absent", True),
        ("torch>=2.5,optimum=absent", False),
        ("optimum=absent,exporter=dynamo", False),
    ],
)
def test_an_expression_admits(text, admitted):
    assert parse(text).admits(CELL, VARIANT) is admitted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ",",
            "torch",
            "torch>=",
            ">=2.4",
            "torch>=x",
            "=2",
            "torch>=2.4,",
            "torch>=2.4,,onnx<2",
            "exporter",
            "exporter=a,<2",
        ),
        *("optimum>=absent", "optimum===absent", "optimum=absent2", "optimum~=absent"),
        *("opset>=17", "exporter!=dynamo", "exporter===dynamo", "opset<18", "layout~=pair", "exporter=", "exporter=="),
    ],
)
def test_what_cannot_be_read_is_quoted(text):
    with pytest.raises(SelectionError, match="cannot read"):
        parse(text)


def test_a_prerelease_is_a_version_like_others():
    cell = Cell(id="c", python="3.11", pins=(("torch", "2.5.0.dev20240901"),))
    assert parse("torch<2.6").admits(cell)
    assert parse("torch>=2.4").admits(cell)


def test_parts_about_variants_pass_where_no_variant_is_asked_about():
    assert parse("exporter=dynamo,torch>=2").admits(CELL)


def test_the_axes_it_names_are_canonical():
    assert parse("Torch>=2,onnx_runtime==1,layout=pair").axes == {"torch", "onnx-runtime"}
    assert parse("Optimum_ONNX=absent,torch!=absent").axes == {"optimum-onnx", "torch"}


def test_repeated_select_is_or_and_exclude_wins():
    axes = ["torch", "onnxruntime"]
    assert Selection.of(["torch>9", "onnxruntime>=1"], axes=axes).admits(CELL, VARIANT)
    assert not Selection.of(["torch>9", "onnxruntime>9"], axes=axes).admits(CELL, VARIANT)
    assert not Selection.of(["torch>=2"], ["exporter=torchscript"], axes=axes).admits(CELL, VARIANT)
    assert Selection.of(axes=axes).admits(CELL, VARIANT)


def test_an_axis_that_is_none_is_named_with_those_there_are():
    with pytest.raises(SelectionError, match="names 'tensorflow', which is no axis; expected one of torch, onnx"):
        Selection.of(["tensorflow>=2"], axes=["torch", "onnx"])


def test_environment_is_the_setup():
    handoff = Cell(id="c-handoff", python="3.11", pins=(), setup=Setup.HANDOFF)
    assert parse("environment=handoff").admits(handoff)


def test_an_axis_that_is_absent_in_no_cell_or_in_every_one_is_an_error():
    selection = Selection.of(["optimum=absent"], ["torch!=absent"], axes=["torch", "optimum"])
    with_optimum = Cell(id="c", python="3.11", pins=(("torch", "2.4.0"), ("optimum", "1.0")))
    selection.require_known([CELL, with_optimum], [VARIANT])
    with pytest.raises(SelectionError, match="the selection 'optimum=absent': optimum is absent in no cell"):
        selection.require_known([with_optimum], [VARIANT])
    with pytest.raises(SelectionError, match="the selection 'optimum!=absent': optimum is absent in every cell"):
        parse("optimum!=absent").require_known([CELL], [VARIANT])


def test_what_bounds_on_an_axis_leave_open():
    selection = Selection.of(["python==3.11,torch>9", "python<3.9"], axes=["python", "torch"])
    assert [selection.may_admit("python", version) for version in ("3.8", "3.11", "3.12")] == [True, True, False]
    assert Selection.of(["torch>9"], axes=["torch"]).may_admit("python", "3.12")


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("binding==1.0", True),
        ("binding==1.1", False),
        ("binding>=1,<2", True),
        ("binding!=1.0", False),
        ("binding=absent", False),
        ("binding!=absent", True),
        ("layout=absent", True),
        ("binding=numpy", True),
        ("binding==numpy", True),
        ("binding=ortvalue", False),
        ("binding=numpy,binding==1.0", True),
        ("opset==17", True),
    ],
)
def test_an_axis_with_the_name_of_a_field(text, admitted):
    cell = Cell(id="c", python="3.11", pins=(("binding", "1.0"),))
    assert parse(text).admits(cell, VARIANT) is admitted
