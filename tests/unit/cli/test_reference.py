"""docs/cli.md is what the parser says, and every command in the docs is one that the parser reads."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli.command_line import COMMANDS, parser

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "catalogue" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def reference() -> str:
    """docs/cli.md."""
    made = parser()
    text = f"# Commands\n\nMade from the parser.\n\n```\n{made.format_help()}```\n"
    commands = next(action for action in made._actions if action.choices and "run" in action.choices).choices
    return text + "".join(f"\n## {name}\n\n```\n{commands[name].format_help()}```\n" for name in COMMANDS)


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setattr("sys.argv", ["harness"])
    monkeypatch.delenv("HARNESS_STARTED_BY", raising=False)


def test_the_reference_is_what_the_parser_says():
    """To make it anew: run this module's `reference()` with COLUMNS=110, and write it to docs/cli.md."""
    # Releases of Python break lines in other places.
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").split() == reference().split()


def commands_of(page: Path) -> list[list[str]]:
    """The command lines of the project in a page's blocks, without what a shell does with their output."""
    found = []
    for block in re.findall(r"```(?:console|sh|yaml)?\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.findall(r"(?:python -m harness|export-matrix) (.*)", line):
                words = shlex.split(re.split(r"\s*[|>]\s|\s{2,}#", command)[0].rstrip("` "), comments=True)
                found.append([re.sub(r"\$SHARD", "1/2", word) for word in words])
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=lambda page: page.name)
def test_every_command_in_the_docs_can_be_read(page):
    for words in commands_of(page):
        if words[0] in {"COMMAND", "…"}:
            continue
        assert parser().parse_args(words).command in COMMANDS


def test_commands_are_found_in_the_docs():
    assert sum(len(commands_of(page)) for page in PAGES) > 30
