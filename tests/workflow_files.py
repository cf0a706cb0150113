"""The workflows that this project has and shows: files, and the blocks of YAML in the documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "action.yml", *sorted((ROOT / ".github").rglob("*.yml")), *sorted((ROOT / "examples").rglob("*.yml"))]
PLACEHOLDER = "OWNER/REPO@COMMIT"
"""What stands in the documents for this repository and a commit of it."""
_COMMIT = "OWNER/REPO@0123456789abcdef0123456789abcdef01234567"


def blocks(page: str) -> list[str]:
    """The blocks of YAML in a page of docs/."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def shown() -> dict[str, str]:
    """Name → text of each workflow in the documents; a job that is shown alone belongs to a pull request."""
    found = {}
    for page in ("ci.md", "scale.md"):
        for number, block in enumerate(blocks(page)):
            if not block.startswith("repos:"):
                head = "on: pull_request\n" if block.startswith("jobs:") else ""
                found[f"{page.removesuffix('.md')}-{number}.yml"] = head + block
    return found


def job(text: str, name: str) -> dict[str, Any]:
    """A job of a workflow."""
    found: dict[str, Any] = yaml.safe_load(text)["jobs"][name]
    return found


def repository(folder: Path) -> Path:
    """A repository at `folder` with all workflows, the placeholder filled in; files keep their places, examples apart."""
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (folder / ".git").mkdir()
    texts = {workflows / name: text for name, text in shown().items()}
    for path in FILES:
        place = workflows / path.name if path.is_relative_to(ROOT / "examples") else folder / path.relative_to(ROOT)
        assert place not in texts
        texts[place] = path.read_text(encoding="utf-8")
    for place, text in texts.items():
        place.write_text(text.replace(PLACEHOLDER, _COMMIT), encoding="utf-8")
    return folder
