"""optimum: it takes a saved transformers model, and writes all its graphs, merged ones too.

optimum 1.x and optimum-onnx have the same function. Only keywords that all of them know are used: an unknown keyword is no
error, `main_export` takes it for a size of the example input. After an export optimum loads the graph with the environment's
onnxruntime, to name the axes that torch left unnamed.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
from pathlib import Path
from typing import Any

from ..messages import text_of
from ..outcome import NotRun
from .interface import ModelExporter

# optimum's text for an opset that is too low, torch's for one that is too high.
_NO_SUCH_OPSET = re.compile(r"Opset \d+ is not sufficient|[Uu]nsupported (ONNX opset|onnx_opset)")


class Optimum(ModelExporter):
    """`optimum.exporters.onnx`."""

    roles = {  # noqa: RUF012 - never written to
        "no-cache": ("encoder", "decoder"),
        "pair": ("encoder", "decoder", "decoder_with_past"),
        "merged": ("encoder", "decoder_merged"),
    }
    files = {  # noqa: RUF012
        "encoder": "encoder_model.onnx",
        "decoder": "decoder_model.onnx",
        "decoder_with_past": "decoder_with_past_model.onnx",
        "decoder_merged": "decoder_model_merged.onnx",
    }

    def require(self, layout: str, attention: str | None) -> None:
        """See ModelExporter."""
        if not _is_installed():
            message = "there is no optimum with an ONNX exporter in this cell: add the axis optimum (1.x) or optimum-onnx"
            raise NotRun(message)
        if layout not in self.roles:
            message = f"optimum has no layout {layout}: its merged graphs return an empty cross-attention cache"
            raise NotRun(message)
        if attention is not None:
            message = "optimum chooses by itself which attention it exports"
            raise NotRun(message)

    def export(self, model: Any, folder: Path, opset: int) -> dict[str, Path]:
        """See ModelExporter.

        The model goes through files: optimum chooses the attention while loading, and changes the configuration of the model
        that it exports. An exception of optimum is passed on, such as the ValueError for an architecture that it does not
        know.
        """
        if not model.config.is_encoder_decoder:
            message = "optimum writes a decoder-only model as one graph that takes a past at every step: no layout of these"
            raise NotRun(message)
        from optimum.exporters.onnx import main_export  # noqa: PLC0415 - not every cell has it

        is_speech = model.main_input_name == "input_features"
        # Whisper takes two frames for each position of its encoder; optimum would use the 3000 of a real one.
        sizes = {"nb_max_frames": 2 * model.config.max_source_positions} if is_speech else {}
        with tempfile.TemporaryDirectory() as saved:
            model.save_pretrained(saved)
            try:
                main_export(
                    saved,
                    output=folder,
                    # `-with-past`: the graphs with a cache too.
                    task="automatic-speech-recognition-with-past" if is_speech else "text2text-generation-with-past",
                    opset=opset,
                    # Given, because optimum would ask a hub otherwise.
                    framework="pt",
                    library_name="transformers",
                    local_files_only=True,
                    # It would compare with onnxruntime on one input; the stages of a run do that for all cases.
                    do_validation=False,
                    **sizes,
                )
            except (ValueError, RuntimeError) as exc:
                if _NO_SUCH_OPSET.search(text_of(exc)):
                    raise NotRun(f"optimum: {text_of(exc)}") from exc
                raise
        return {role: folder / name for role, name in self.files.items() if (folder / name).is_file()}


EXPORTER = Optimum()


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("optimum.exporters.onnx") is not None
    except ModuleNotFoundError as exc:
        if not str(exc.name).startswith("optimum"):
            raise  # something that optimum itself needs: a fact about versions
        return False
