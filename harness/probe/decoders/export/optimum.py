"""The exporter of optimum, which takes a saved model and writes all graphs of it by itself, merged ones included.

optimum 1.x and optimum-onnx take the same call; what differs are the keywords that they know, of which only those
known to all are used. (An unknown keyword is no error: `main_export` takes it for a size of the example input.) Right
after an export it loads the graph with the environment's own onnxruntime, to name the axes that torch left unnamed.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
from pathlib import Path
from typing import Any, Iterable, Mapping

from ...failures import NotRun, ProbeFailure

_FILES = {
    "encoder": "encoder_model.onnx",
    "decoder": "decoder_model.onnx",
    "decoder_with_past": "decoder_with_past_model.onnx",
    "decoder_merged": "decoder_model_merged.onnx",
}
"""Role → what optimum calls its file."""

# optimum's own words for an opset that is too low, torch's for one that is too high.
_NO_SUCH_OPSET = re.compile(r"Opset \d+ is not sufficient|[Uu]nsupported (ONNX opset|onnx_opset)")

ROLES = {
    "no-cache": ("encoder", "decoder"),
    "pair": ("encoder", "decoder", "decoder_with_past"),
    "merged": ("encoder", "decoder_merged"),
}


def require(layout: str, attention: str | None) -> None:
    """Raise NotRun where optimum is not there, or does not offer what is asked for."""
    if not _is_there():
        message = "there is no optimum with an ONNX exporter in this cell: add the axis optimum (1.x) or optimum-onnx"
        raise NotRun(message)
    if layout not in ROLES:
        message = f"optimum has no layout {layout}: its merged graphs return an empty cross-attention cache"
        raise NotRun(message)
    if attention is not None:
        message = "optimum chooses by itself which attention it exports"
        raise NotRun(message)


def _is_there() -> bool:
    try:
        return importlib.util.find_spec("optimum.exporters.onnx") is not None
    except ModuleNotFoundError as exc:
        if not str(exc.name).startswith("optimum"):
            raise  # something that optimum itself needs: a fact about versions
        return False


def export_all(model: Any, folder: Path, opset: int) -> dict[str, Path]:
    """Write every graph of `model`, a transformers model, into `folder` and return role → path.

    The model goes through files, because optimum chooses the attention while loading, and because it writes to the
    configuration of the model that it exports. Whatever optimum raises is passed on: ValueError for an architecture that
    it does not know, for example.
    """
    if not model.config.is_encoder_decoder:
        message = "optimum writes a decoder-only model as one graph that takes a past at every step: no layout of these"
        raise NotRun(message)
    from optimum.exporters.onnx import main_export  # noqa: PLC0415 - not every cell has it

    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        try:
            main_export(
                saved,
                output=folder,
                task=_task(model),
                opset=opset,
                # Said, because a hub is asked for what is not.
                framework="pt",
                library_name="transformers",
                local_files_only=True,
                # It would compare with onnxruntime on one input; the stages of a run do that for all cases.
                do_validation=False,
                **_example_sizes(model),
            )
        except (ValueError, RuntimeError) as exc:
            if _NO_SUCH_OPSET.search(str(exc)):
                raise NotRun(f"optimum: {exc}") from exc
            raise
    return {role: folder / name for role, name in _FILES.items() if (folder / name).is_file()}


def chosen(written: Mapping[str, Path], roles: Iterable[str]) -> dict[str, Path]:
    """Return role → path of those graphs; ProbeFailure where optimum did not write one."""
    missing = [_FILES[role] for role in roles if role not in written]
    if missing:
        raise ProbeFailure(f"optimum wrote no {', '.join(missing)}; it wrote {', '.join(_FILES[role] for role in written)}")
    return {role: written[role] for role in roles}


def _task(model: Any) -> str:
    """Return optimum's name of what `model` does; `-with-past` asks for the graphs with a cache."""
    is_speech = model.main_input_name == "input_features"
    return "automatic-speech-recognition-with-past" if is_speech else "text2text-generation-with-past"


def _example_sizes(model: Any) -> dict[str, int]:
    """Return the sizes of the example input that only one value is right for.

    Whisper takes two frames for each position of its encoder; optimum would give any model the 3000 of a real one.
    """
    if model.main_input_name == "input_features":
        return {"nb_max_frames": 2 * model.config.max_source_positions}
    return {}
