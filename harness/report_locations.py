"""Where reports lie: in a folder of reports, and with the matrices that come with the project. It reads none."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
ROOT = _HERE / "shipped" if (_HERE / "shipped").is_dir() else _HERE.parent
"""The folder with the matrices, `reports` and `catalogue`: beside this package in a checkout, inside it in a wheel."""
MATRIX = ROOT / "matrix.toml"
MAIN = "matrix"
"""The name of the report of the shipped matrix."""
REPORT_FILES = ("matrix.json", "matrix.json.gz")
"""The names of the file of a report; a folder of reports has one of the two."""

HISTORY = "history.jsonl"
"""The name of the file beside it that has a line for each run."""


def report_in(folder: Path) -> Path | None:
    """The file of the report in a folder of reports."""
    return next((folder / name for name in REPORT_FILES if (folder / name).exists()), None)


def reports() -> dict[str, Path]:
    """Name → file of each published report, the one of the shipped matrix first."""
    folder = ROOT / "reports"
    found = {str(path.parent.relative_to(folder)): path for name in REPORT_FILES for path in sorted(folder.rglob(name))}
    return {(MAIN if name == "." else name): path for name, path in sorted(found.items())}


def report_of(config: Path) -> str | None:
    """The name of the report of the matrix in `config`; None if that is no shipped one with a report."""
    for name in reports():
        matrix = MATRIX if name == MAIN else ROOT / f"matrix-{name}.toml" if "/" not in name else ROOT / name / "matrix.toml"
        try:
            if config.samefile(matrix):
                return name
        except OSError:
            continue
    return None
