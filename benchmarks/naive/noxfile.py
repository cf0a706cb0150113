"""What one would write first: a session for each combination, with the uv backend, and nothing shared.

    nox -f benchmarks/naive/noxfile.py        BENCHMARK_CELLS names the cells' file, BENCHMARK_OUT where verdicts go

benchmarks/compare.py runs it; the probe is the harness's own, export and run in one process.
"""

import json
import os
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"

HERE = Path(__file__).parent
CELLS = json.loads(Path(os.environ["BENCHMARK_CELLS"]).read_text())


@nox.session(allow_parallel=True, download_python="never")
@nox.parametrize(["python", "cell"], [nox.param(cell["python"], cell, id=cell["id"]) for cell in CELLS])
def probe(session: nox.Session, cell: dict) -> None:
    """Install one combination, export, run, and write the verdict down."""
    session.install(*cell["requirements"])
    out = Path(os.environ["BENCHMARK_OUT"]) / f"{cell['id']}.json"
    session.run("python", "-I", str(HERE / "probe.py"), str(out), external=True)
