"""The documents: their links lead somewhere, and their programs run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "catalogue" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_NAME = {"ids": lambda page: str(page.relative_to(ROOT))}


def prose(page: Path) -> str:
    """The text of a page without its blocks of code, and without quoted messages."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"^> .*$", "", text, flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a link may name after `#`, by GitHub's rule."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, **_NAME)
def test_every_link_leads_to_something(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [ROOT / "docs" / "api.md"], **_NAME)
def test_the_programs_that_read_a_report_run(page):
    for program in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "py311-" in done.stdout


def test_the_site(tmp_path):
    options = ["--quiet", "--fail-on-warning", "-c", str(ROOT / "docs")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(ROOT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Pin this today" in (tmp_path / "README.html").read_text(encoding="utf-8")
    assert (tmp_path / "reports" / "matrix.html").exists()
