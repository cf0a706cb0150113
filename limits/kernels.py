"""The kernels of all measured onnxruntimes in one file, reports/kernels.json: those that several have stand there once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import Version

_Found = dict[str, Any]


def with_runtime(known: _Found, version: str, found: _Found) -> _Found:
    """`known` with the operators that onnxruntime `version` was found to have, in place of what it had there."""
    merged: _Found = {}
    for domain, names in _without(known, version).items():
        merged.setdefault(domain, {}).update({name: dict(forms) for name, forms in names.items()})
    for domain, names in found.items():
        for name, forms in names.items():
            for since, form in forms.items():
                own = merged.setdefault(domain, {}).setdefault(name, {})
                own[since] = _with_form(own.get(since), version, form)
    return merged


def _without(known: _Found, version: str) -> _Found:
    for names in known.values():
        for forms in names.values():
            for form in forms.values():
                form["kernels"] = [
                    {**kernel, "runtimes": [other for other in kernel["runtimes"] if other != version]}
                    for kernel in form["kernels"]
                    if kernel["runtimes"] != [version]
                ]
    return known


def _with_form(known: _Found | None, version: str, form: _Found) -> _Found:
    kernels = [dict(kernel) for kernel in known["kernels"]] if known else []
    for types in form["kernels"]:
        same = next((kernel for kernel in kernels if kernel["types"] == types), None)
        if same is None:
            kernels.append(same := {"types": types, "runtimes": []})
        same["runtimes"] = sorted({*same["runtimes"], version}, key=Version)
    return {"inputs": form["inputs"], "outputs": form["outputs"], "kernels": kernels}


def read(path: Path) -> _Found:
    """The operators in the file; none where there is no file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))["operators"]) if path.exists() else {}


def write(path: Path, operators: Mapping[str, Any]) -> None:
    """Write the file, a line for each form of an operator."""
    domains = [
        f" {json.dumps(domain)}: {{\n" + ",\n".join(_operator(name, forms) for name, forms in sorted(names.items())) + "\n }"
        for domain, names in sorted(operators.items())
    ]
    path.write_text('{"schema": 1, "operators": {\n' + ",\n".join(domains) + "\n}}\n", encoding="utf-8")


def _operator(name: str, forms: Mapping[str, Any]) -> str:
    ordered = sorted(forms.items(), key=lambda item: int(item[0]))
    lines = [f"   {json.dumps(str(since))}: {json.dumps(form, separators=(',', ':'))}" for since, form in ordered]
    return f"  {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n  }"
