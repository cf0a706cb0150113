"""export-recipe.md: how to export and run with a pinned set, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.decide.regressions import last_line
from harness.model import Cell, Stage, Status, Variant
from harness.report.formats.markdown import inline, table
from harness.report.tables import counted
from harness.verdicts.judge import VariantVerdict, Verdict

_EXPORTERS = {
    "torchscript": "`torch.onnx.export(…, dynamo=False)` (an older torch has no such argument, and no other exporter)",
    "dynamo": "`torch.onnx.export(…, dynamo=True)`",
    "optimum": "optimum's `main_export`",
}
_LAYOUTS = {
    "no-cache": "one decoder without a past: nothing is cached, every step computes all of them anew",
    "pair": "two graphs: a decoder for the first step, and a decoder with past for all others",
    "merged": "one graph with an `If` on `use_cache_branch`; its cached branch returns **empty** cross-attention tensors",
    "merged-passthrough": "one graph with an `If` on `use_cache_branch`; its "
    "cached branch returns the cross-attention cache it was given",
}
_FEEDBACK = {
    "keep-cross": "keep the cross-attention part (`present.*.encoder.*`) of the **first** step for the whole sequence; "
    "from every later step feed back the self-attention part only",
    "feed-all": "feed back every `present.*` of the last step",
}
_STRATEGIES = {
    "cached": "the cache from the first step after the prefix on",
    "mixed": "after the prefix two steps without the cache, each with all tokens so far; then the cache",
}


_LOOPS = {
    "onnxruntime-node": [
        "## In Node.js",
        "",
        "`npm ci --ignore-scripts` in `run/` installs the runtime as it was locked. An output is a tensor that goes back into",
        "`run` as it is, and its data need not be read:",
        "",
        "```js",
        "const { InferenceSession, Tensor } = require('onnxruntime-node');",
        "const session = await InferenceSession.create('model.onnx');",
        "let past = first; // name of a `past_key_values.*` input → tensor; of the first step, as the layout above says",
        "for (const token of tokens) {",
        "  const ids = new Tensor('int64', BigInt64Array.of(BigInt(token)), [1, 1]);",
        "  const outputs = await session.run({ ...inputs, decoder_input_ids: ids, ...past });",
        "  for (const name of Object.keys(outputs).filter(name => name.startsWith('present.'))) {",
        "    if (isFedBack(name)) past[name.replace('present', 'past_key_values')] = outputs[name]; // `feedback` above",
        "  }",
        "}",
        "```",
        "",
    ]
}
"""Runtime → how a program uses it."""


def render(verdict: Verdict, best: Variant, support: Mapping[Variant, int], header: Sequence[str]) -> str:
    """The text of the file: the settings, the results of all variants that were run, and the versions."""
    (chosen,) = (variant for variant in verdict.variants if variant.variant == best)
    data = {name: value for result in chosen.results for name, value in result.data.items()}
    cell = verdict.cell
    settings = [
        ["exporter", f"{best.exporter}: {_EXPORTERS.get(best.exporter, 'as the probe module has it')}"],
        ["opset", str(best.opset)],
        ["layout", f"{best.layout}: {_LAYOUTS.get(best.layout, 'as the probe module has it')}"],
        ["feedback", f"{best.feedback}: {_FEEDBACK.get(best.feedback, 'as the probe module has it')}"],
        ["binding", best.binding],
        ["strategy", f"{best.strategy}: {_STRATEGIES.get(best.strategy, 'as the probe module has it')}"],
        ["attention", best.attention],
        ["IR version", f"{data.get('ir', 'unknown')} ({'as exported' if best.ir_version is None else 'set after the export'})"],
    ]
    session = [(name, value) for name in ("optimization", "memory_pattern") if (value := getattr(best, name)) != "default"]
    settings += [[f"onnxruntime's {name.replace('_', ' ')}", value] for name, value in session]
    return "\n".join(
        [
            f"# How to export and run: {cell.id}",
            "",
            *(f"{inline(line)}.  " for line in header),
            "",
            f"Python {cell.python}, "
            + ", ".join(f"{name} {version}" for name, version in cell.pins)
            + f"; {cell.setup.value}.",
            "",
            table(["", "use"], settings),
            "",
            *_loop(cell),
            "## Why",
            "",
            _why(verdict, chosen, support),
            "",
            table(
                ["exporter", "opset", "layout", "feedback", "binding", "what came of it"],
                [_row(variant) for variant in verdict.variants],
            ),
            "",
        ]
    )


def _loop(cell: Cell) -> list[str]:
    """How to install and call a runtime that is no distribution of Python."""
    runtime = cell.runtime
    return _LOOPS.get(runtime.name, []) if runtime else []


def _why(verdict: Verdict, chosen: VariantVerdict, support: Mapping[Variant, int]) -> str:
    works, variants = sum(variant.status is Status.WORKS for variant in verdict.variants), len(verdict.variants)
    text = (
        f"With exactly these versions {works} of the {variants} ways below {'works' if works == 1 else 'work'}; this one"
        if variants > 1
        else "With exactly these versions no other way was run; this one works"
    )
    difference = chosen.last.data.get("max_abs_diff")
    text += "." if difference is None else f", with a largest difference from PyTorch of {difference:.1e}."
    if number := support.get(chosen.variant):
        text += (
            f" It also works in {counted(number, 'neighbouring combination')} (one step on one axis away), no other in more."
        )
    return text


def _row(verdict: VariantVerdict) -> list[str]:
    variant = verdict.variant
    end = verdict.status.value
    if verdict.status is not Status.WORKS:
        end += f" at {verdict.last.stage.value}: {last_line(verdict)}"
    elif verdict.last.stage is Stage.PARITY and (difference := verdict.last.data.get("max_abs_diff")) is not None:
        end += f", largest difference {difference:.1e}"
    return [variant.exporter, str(variant.opset), variant.layout, variant.feedback, variant.binding, end]
