"""What a probe's process is asked: jobs, as the probe reads them (probe/dispatch.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.matrix.schema import ProbeSection
from harness.model import Variant
from harness.tasks.tasks import Evaluate, Import, Run


def importing(one: Import) -> dict[str, Any]:
    """All packages, in one process that has imported nothing yet."""
    return {"kind": "import", "modules": one.modules}


def exporting(variants: Sequence[Variant], imports: Mapping[Import, Path], out: Path, *, reference: bool) -> dict[str, Any]:
    """PyTorch alone (the `reference`), then `variants`, into `out`; before that, forks for `imports` from their folders."""
    return {
        "kind": "export",
        "imports": [{"id": one.key, "modules": one.modules, "sites": [str(site)]} for one, site in imports.items()],
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


def running(task: Run | Evaluate, wanted: Iterable[tuple[Variant, Path]]) -> dict[str, Any]:
    """Variants, each with the folder of its artifact, through onnxruntime or the reference evaluator."""
    return {
        "kind": "run" if isinstance(task, Run) else "reference",
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
            for variant, artifact in wanted
        ],
    }


def about(model: ProbeSection) -> dict[str, Any]:
    """The model that a job is about."""
    return {"path": model.module, "options": _options(model)}


def _options(model: ProbeSection) -> dict[str, Any]:
    if model.module is not None:
        return {**model.options, "seed": model.seed}
    if model.checkpoint is not None:
        return {"path": model.checkpoint, "seed": model.seed}
    return {"family": model.model, "profile": model.profile, "seed": model.seed}
