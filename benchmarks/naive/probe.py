"""The harness's probe in one process: export, then run, as a script of one's own would. Writes {variant: status}."""

import importlib
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

PROBE = Path(__file__).resolve().parents[2] / "harness" / "probe"
VARIANT = {"id": "torchscript-17-pair", "exporter": "torchscript", "opset": 17, "layout": "pair"}
RUN = {"id": "run", "feedback": "keep-cross", "binding": "numpy", "strategy": "cached", "session": {}}


def main(out: Path) -> None:
    """Write the verdict on this environment to `out`."""
    spec = importlib.util.spec_from_file_location(
        "harness_probe", PROBE / "__init__.py", submodule_search_locations=[str(PROBE)]
    )
    sys.modules["harness_probe"] = importlib.util.module_from_spec(spec)
    journal = importlib.import_module("harness_probe.journal").Journal
    probe = {"path": None, "options": {"family": "marian", "profile": "tiny", "seed": 0}}
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events"
        exported = {"probe": probe, "imports": [], "reference": True, "variants": [VARIANT], "out": folder}
        importlib.import_module("harness_probe.export").run(exported, journal(str(events)))
        run = {**RUN, "artifact": f"{folder}/{VARIANT['id']}", "reference": f"{folder}/reference"}
        if (Path(run["artifact"]) / "manifest.json").exists():
            running = {"probe": probe, "runtime": "onnxruntime", "runs": [run]}
            importlib.import_module("harness_probe.runtimes").run(running, journal(str(events)))
        ends = [event for event in map(json.loads, events.read_text().splitlines()) if event["event"] == "end"]
    failed = next((end for end in ends if end["status"] != "works"), None)
    verdict = {"status": "works", "stage": None} if failed is None else {key: failed[key] for key in ("status", "stage")}
    out.write_text(json.dumps(verdict))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
