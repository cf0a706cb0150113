"""How the time grows with the matrix: along one axis, along two, and for what is known already.

    python benchmarks/scaling.py [--environment handoff together] [--repeat 3]

Each series starts from an empty store, with uv's cache warm. For cells x1 x2 x4 x8 (and x12) along onnxruntime, and
x1 x2 x4 x8 along transformers and onnxruntime, it prints wall and CPU seconds and what each cell more has cost; then, on
the 48 cells of cells.toml, a run, the same again, and the same with one more onnxruntime.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from compare import HERE, ROOT, measured_command, shell_environment

TORCH = "2.13.0"
TRANSFORMERS = ["4.46.3", "4.53.3"]
RUNTIMES = [
    "1.16.3", "1.18.1", "1.20.1", "1.32.0", "1.16.0", "1.17.3", "1.19.2", "1.22.1", "1.23.2", "1.24.4", "1.25.1", "1.30.0",
]  # fmt: skip
ONE_MORE = "1.23.2"


def matrix(environment: str, transformers: list[str], runtimes: list[str]) -> str:
    """One torch and one onnx; TorchScript, pair."""
    return f"""
setup = "{environment}"
[axes]
python = ["3.11"]
torch = ["{TORCH}"]
transformers = {transformers}
onnx = ["1.17.0"]
onnxruntime = {runtimes}
[[constraint]]
when = "onnxruntime<1.19"
add = ["numpy<2"]
reason = "built against numpy 1"
[variants]
exporters = ["torchscript"]
opsets = {{ torchscript = [17] }}
layouts = ["pair"]
"""


def run(folder: Path, text: str) -> tuple[float, float]:
    """(wall, CPU) seconds of a run of that matrix on the store in `folder`."""
    (folder / "matrix.toml").write_text(text)
    return measured_command(
        ["run", "--quiet", "--no-remedies", "--config", str(folder / "matrix.toml"), "--store", str(folder / "store")],
        folder,
        shell_environment(),
    )


def series(name: str, texts: dict[int, str], parent: Path, repeat: int) -> None:
    """Print a line for each size; medians of `repeat` runs, each from an empty store, the sizes in turn."""
    taken: dict[int, list[tuple[float, float]]] = {cells: [] for cells in texts}
    for _ in range(repeat):
        for cells, text in texts.items():
            with tempfile.TemporaryDirectory(dir=parent) as folder:
                taken[cells].append(run(Path(folder), text))
    before: tuple[int, float] | None = None
    for cells, times in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        more = f", {(wall - before[1]) / (cells - before[0]):.2f} s for each cell more" if before else ""
        print(f"{name} {cells} cells: {wall:.1f} s, {cpu:.1f} s of CPU{more}", flush=True)
        before = (cells, wall)


def again(environment: str, parent: Path) -> None:
    """Print what 48 cells take, what they take again, and with one more onnxruntime."""
    text = (HERE / "cells.toml").read_text().replace("[axes]", f'setup = "{environment}"\n[axes]', 1)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        for name, asked in (
            ("first", text),
            ("again", text),
            ("one onnxruntime more", text.replace('"1.32.0"]', f'"1.32.0", "{ONE_MORE}"]')),
        ):
            wall, cpu = run(Path(folder), asked)
            print(f"{environment} 48 cells, {name}: {wall:.1f} s, {cpu:.1f} s of CPU", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", nargs="+", default=["handoff", "together"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / ".harness" / "benchmarks", help="on the disk of uv's cache")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for environment in options.environment:
        one = {count: matrix(environment, TRANSFORMERS[:1], RUNTIMES[:count]) for count in (1, 2, 4, 8, 12)}
        two = {
            many * count: matrix(environment, TRANSFORMERS[:many], RUNTIMES[:count])
            for many, count in ((1, 1), (2, 1), (2, 2), (2, 4))
        }
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            run(Path(folder), matrix(environment, TRANSFORMERS, RUNTIMES))  # fills uv's cache
        series(f"{environment}, onnxruntime:", one, options.folder, options.repeat)
        series(f"{environment}, transformers x onnxruntime:", two, options.folder, options.repeat)
        again(environment, options.folder)


if __name__ == "__main__":
    main()
