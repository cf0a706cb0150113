"""The page of a file that was inspected."""

from __future__ import annotations

from harness.report.pages.inspection import _command, _without_numbers


def test_names_that_differ_in_a_number_are_one_and_sizes_are_not():
    assert _without_numbers("past.0.key_dim_3") == "past.N.key_dim_N"
    assert _without_numbers("length + 1") == "length + 1"


def test_the_command_writes_beside_the_model_whatever_its_name():
    command = _command("-a b/it's.onnx", 9)
    assert command.endswith(""" '-a b/it'"'"'s.onnx' '-a b/it'"'"'s.ir9.onnx'""")
