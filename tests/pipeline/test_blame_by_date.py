"""What broke with time: the cell as of the day after its newest pin was published, on an index that tells when."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import loopback
import packages
import pytest
from packages import package
from project import Project

pytestmark = pytest.mark.usefixtures("installed_once")

DRIFTED = "import importlib.metadata as m\nif m.version('dri' + 'fter') == '3.0': raise ImportError('undefined symbol')"


@contextlib.contextmanager
def dated(folder: Path, days: Mapping[str, str], size: int | None = None) -> Iterator[str]:
    """The address of an index (PEP 691, PEP 700) of the wheels in `folder`: file name → day of its upload, or 2020."""

    class Index(loopback.Handler):
        def answer(self) -> None:
            name = self.path.strip("/").rpartition("/")[2]
            body = (folder / name).read_bytes() if name.endswith(".whl") else self._page(name)
            self.send_response(200)
            kind = "application/octet-stream" if name.endswith(".whl") else "application/vnd.pypi.simple.v1+json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def _page(self, name: str) -> bytes:
            files = [
                {
                    "filename": path.name,
                    "url": f"/files/{path.name}",
                    "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
                    "upload-time": f"{days.get(path.name, '2020-01-01')}T12:00:00Z",
                    "size": size or path.stat().st_size,
                }
                for path in sorted(folder.glob(f"{name.replace('-', '_')}-*.whl"))
            ]
            return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode()

    with loopback.index(Index) as address:
        yield address


def on(project: Project, address: str, **axes: str):
    project.remedies = True
    sources = {"default-index": address, "torch-backend": "default"}
    project.configure({axis: [version] for axis, version in axes.items()}, uv=sources)
    (cell,) = project.run().values()
    return cell, cell["variants"][0]


def test_what_is_younger_than_the_newest_pin_is_a_suspect(project):
    project.publish(
        packages.onnxruntime("1.17.0", on_import=DRIFTED, requires=("drifter", "numpy")),
        *(package("drifter", version) for version in ("1.0", "2.0", "3.0")),
    )
    days = {
        "onnxruntime-1.17.0-py3-none-any.whl": "2024-03-01",
        "drifter-2.0-py3-none-any.whl": "2024-03-01",
        "drifter-3.0-py3-none-any.whl": "2024-06-01",
    }
    with dated(project.index, days) as address:
        cell, variant = on(project, address, onnxruntime="1.17.0")
        assert cell["resolved"]["drifter"] == "3.0"
        assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["drifter<3"])
        assert variant["tried"] == []
        told = project.main("explain", cell["id"]).out
        assert "proven: exclude-newer 2024-03-02, drifter==2.0, drifter<3 (works)" in told
        started = len(project.starts())
        assert project.run()[cell["id"]] == cell
        assert len(project.starts()) == started


def test_what_is_as_old_as_the_cell_is_not_asked_about(project):
    project.publish(packages.onnxruntime("1.17.0", on_import="raise ImportError('no')"))
    with dated(project.index, {"onnxruntime-1.17.0-py3-none-any.whl": "2026-01-01"}) as address:
        _, variant = on(project, address, onnxruntime="1.17.0")
        assert variant["tried"] == []


def test_a_version_that_is_a_big_download_is_not_tried(project):
    project.publish(packages.onnxruntime("1.17.0", on_run="raise RuntimeError('no')"), packages.onnxruntime("1.17.1"))
    with dated(project.index, {}, size=300_000_000) as address:
        cell, variant = on(project, address, onnxruntime="1.17.0")
        assert (cell["status"], cell["remedies"]) == ("fails", [])
        assert not [tried for tried in variant["tried"] if "onnxruntime" in tried]
