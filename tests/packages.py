"""Fake packages under test: what the fake probe (fake_probe/) asks of each, and how each can go wrong.

Every function makes one wheel. Behaviour is source text that runs at a named moment: `on_import` when the module is
imported, the others in the function that the fake probe calls.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from wheels import Wheel

HANG = "import time; time.sleep(600)"
SEGFAULT = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
CRASH_IN_C = "import faulthandler; faulthandler._sigsegv()"
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
LEAVE_0 = "import os; os._exit(0)"
LEAVE_3 = "import os; os._exit(3)"
FLOOD = "import os; os.write(1, b'first line of output\\n'); [os.write(1, bytes(range(256)) * 4096) for _ in range(24)]"
HOARD = "import time; hoard = b'x' * 400_000_000; time.sleep(600)"


def raises(error: str) -> str:
    """Source that raises `error`, an expression such as `ValueError('no')`."""
    return f"raise {error}"


def in_turn(counter: Path, *sources: str) -> str:
    """Source that runs the first of `sources` the first time, then the next, then nothing; a fork server cannot import it."""
    return f"""
import os as _os, pathlib as _pathlib, sys as _sys
if getattr(_sys.modules["__main__"], "SERVER", {{}}).get("pid") == _os.getpid():  # fake_probe/__main__.py
    raise ImportError("not in a fork server")
_counter = _pathlib.Path({str(counter)!r})
_turn = int(_counter.read_text()) if _counter.exists() else 0
_counter.write_text(str(_turn + 1))
_sources = {sources!r}
if _turn < len(_sources):
    exec(_sources[_turn])
"""


def torch(
    version: str = "2.1.0",
    *,
    ir: int = 8,
    flawed: bool | str = False,
    on_import: str = "",
    on_export: str = "",
    on_evaluate: str = "",
    requires: tuple[str, ...] = ("sympy",),
) -> Wheel:
    """`torch.onnx.export(variant, path)` writes a file that carries IR version `ir`.

    `variant` is the job's dict, with the model's family; no runtime runs correctly what is `flawed`, perhaps an expression.
    `on_evaluate` runs where the reference evaluator decodes what was exported.
    """
    body = f"""
        class onnx:
            @staticmethod
            def export(variant, path):
                {_inside(on_export, 16)}
                import json
                model = {{"ir": variant["ir_version"] or {ir}, "variant": variant["id"], "flawed": {flawed}}}
                with open(path, "w") as stream:
                    json.dump({{**model, "evaluate": {textwrap.dedent(on_evaluate)!r}}}, stream)
    """
    return package("torch", version, on_import=on_import, body=body, requires=(*requires, "numpy"))


def transformers(
    version: str = "4.46.3", *, on_import: str = "", eager: str = "", requires: tuple[str, ...] = ("tokenizers",)
) -> Wheel:
    """`transformers.eager(family)` returns (cached logits, uncached logits)."""
    body = f"""
        def eager(family):
            {_inside(eager, 12)}
            return [0.5, 0.25], [0.5, 0.25]
    """
    return package("transformers", version, on_import=on_import, body=body, requires=requires)


def onnx(
    version: str = "1.16.2", *, on_import: str = "", on_check: str = "", on_evaluate: str = "", requires: tuple[str, ...] = ()
) -> Wheel:
    """`onnx.checker.check_model(path)`; `onnx.evaluate(run)` stands for the reference evaluator."""
    body = f"""
        def evaluate(run):
            {_inside(on_evaluate, 12)}

        class checker:
            @staticmethod
            def check_model(path):
                {_inside(on_check, 16)}
    """
    return package("onnx", version, on_import=on_import, body=body, requires=requires)


def onnxruntime(
    version: str = "1.16.3",
    *,
    max_ir: int = 9,
    on_import: str = "",
    on_load: str = "",
    on_run: str = "",
    on_session: str = "",
    requires: tuple[str, ...] = ("flatbuffers", "numpy"),
) -> Wheel:
    """`InferenceSession(path).run(run)` returns logits; `run` is the job's dict. feed-all dies as facts.md describes.

    `on_session` runs where a session is created from bytes, as the joint import does; that one returns what it is given.
    """
    body = f"""
        MAX_IR = {max_ir}

        class InferenceSession:
            def __init__(self, path, options=None, providers=()):
                self.model = None
                if isinstance(path, bytes):
                    {_inside(on_session, 20)}
                    return
                import json
                with open(path) as stream:
                    self.model = json.load(stream)
                ir = self.model["ir"]
                if ir > MAX_IR:
                    raise RuntimeError(
                        f"[ONNXRuntimeError] : 2 : Unsupported model IR version: {{ir}}, max supported IR version: {{MAX_IR}}"
                    )
                {_inside(on_load, 16)}

            def run(self, run, feed=None):
                if self.model is None:
                    return list(feed.values())
                {_inside(on_run, 16)}
                if run["feedback"] == "feed-all":
                    raise RuntimeError("Reshape node node_Reshape_17: the input tensor cannot be reshaped: {{0,4,0,8}}")
                return [0.5, 0.75] if self.model["flawed"] else [0.5, 0.25]
    """
    return package("onnxruntime", version, on_import=on_import, body=body, requires=requires)


def package(
    name: str, version: str, *, on_import: str = "", body: str = "", requires: tuple[str, ...] = (), tag: str = "py3-none-any"
) -> Wheel:
    """A distribution with one module of its name, in which every public name exists and is agreeable."""
    source = "\n".join([f"__version__ = {version!r}", textwrap.dedent(on_import), _AGREEABLE, textwrap.dedent(body)])
    return Wheel(name=name, version=version, files={f"{name}/__init__.py": source}, requires=requires, tag=tag)


def working() -> list[Wheel]:
    """One version of everything, each of which works with all the others."""
    return [torch(), transformers(), onnx(), onnxruntime(), *helpers()]


def helpers() -> list[Wheel]:
    """What the four packages require, directly or not, or are helped by."""
    return [
        package("numpy", "1.26.4"),
        package("numpy", "2.1.0"),
        package("sympy", "1.13.1", requires=("mpmath",)),
        package("mpmath", "1.3.0"),
        package("tokenizers", "0.20.3"),
        package("flatbuffers", "24.3.25"),
        package("onnxscript", "0.1.0", requires=("onnx",)),
    ]


# The real import stage looks into torch and transformers for silent breakages; what it asks for may change.
_AGREEABLE = """
class _Anything:
    def __getattr__(self, name):
        return self

    def __call__(self, *arguments, **named):
        return self

    def __getitem__(self, key):
        return self

    def __eq__(self, other):
        return True

    __hash__ = object.__hash__


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Anything()
"""


def _inside(source: str, columns: int) -> str:
    return textwrap.indent(textwrap.dedent(source or "pass"), " " * columns).lstrip()
