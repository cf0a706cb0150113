"""The jobs of probe processes, in the types that the probe reads (probe/wire.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.matrix.schema import ProbeSection
from harness.model import Variant
from harness.probe.wire import ExportJob, ImportJob, ProbeSource, RunJob


def importing(modules: Sequence[str], model: ProbeSection) -> ImportJob:
    """All packages, in one process that has imported nothing yet."""
    return {"kind": "import", "probe": _source(model), "modules": list(modules)}


def exporting(
    variants: Sequence[Variant],
    model: ProbeSection,
    imports: Mapping[str, tuple[Sequence[str], Path]],
    out: Path,
    *,
    reference: bool,
) -> ExportJob:
    """PyTorch alone (the `reference`), then `variants`, into `out`; before that, forks for `imports`.

    `imports` maps an id to the modules to import and the folder that holds the run side's.
    """
    return {
        "kind": "export",
        "probe": _source(model),
        "imports": [{"id": key, "modules": list(modules), "sites": [str(site)]} for key, (modules, site) in imports.items()],
        "reference": reference,
        "variants": [
            {
                "id": variant.export_id,
                "exporter": variant.exporter,
                "opset": variant.opset,
                "layout": variant.layout,
                "attention": None if variant.attention == "default" else variant.attention,
                "ir_version": variant.ir_version,
            }
            for variant in variants
        ],
        "out": str(out),
    }


def running(
    runtime: str,
    model: ProbeSection,
    runs: Iterable[tuple[Variant, Path]],
    runner: tuple[Sequence[str], str] | None = None,
) -> RunJob:
    """Variants, each with the folder of its artifact, in the runtime of that name.

    `runner` is the command that starts it, and its version, of one that is no Python package.
    """
    job: RunJob = {
        "kind": "run",
        "probe": _source(model),
        "runtime": runtime,
        "runs": [
            {
                "id": variant.id,
                "artifact": str(artifact),
                "reference": str(artifact / "reference"),
                "layout": variant.layout,
                "feedback": variant.feedback,
                "binding": variant.binding,
                "strategy": variant.strategy,
                "session": variant.session,
            }
            for variant, artifact in runs
        ],
    }
    return {**job, "runner": list(runner[0]), "version": runner[1]} if runner else job


def _source(model: ProbeSection) -> ProbeSource:
    """The probe module of a job, and the model that it builds."""
    return {"path": model.module, "options": _options(model)}


def _options(model: ProbeSection) -> dict[str, Any]:
    if model.module is not None:
        return {**model.options, "seed": model.seed}
    if model.checkpoint is not None:
        return {"path": model.checkpoint, "seed": model.seed}
    return {"family": model.model, "profile": model.profile, "seed": model.seed}
