"""The operators of ONNX's own domains, against its schemas."""

from __future__ import annotations

from onnx import defs

from harness.onnx_files import operators


def test_each_opset_has_the_operators_of_onnx():
    """Those of opsets that are younger than the table apart."""
    schemas = {(schema.domain, schema.name) for schema in defs.get_all_schemas_with_history()}
    for domain, newest in operators.OPSETS.items():
        name = "" if domain == "ai.onnx" else domain
        published = range(1, min(newest, defs.onnx_opset_version() if not name else newest) + 1)
        for opset in published:
            for operator in sorted(own for found, own in schemas if found == name):
                there = defs.has(operator, opset, name) and not defs.get_schema(operator, opset, name).deprecated
                assert operators.has(domain, opset, operator) == there, (domain, opset, operator)
