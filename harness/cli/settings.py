"""Options → settings; and the options with which another command means the same matrix."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import fields
from typing import Any

from harness import report_locations
from harness.cli.options import ARGUMENTS
from harness.execution.settings import Settings


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of a command line; without an option, a setting has its default."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(options).items()
        if name in {field.name for field in fields(Settings)}
    }
    return Settings(**given, cell=getattr(options, "id", None))


def same_matrix(options: argparse.Namespace, *, here: bool = True) -> str:
    """The given options for matrix and model, and unless it is for readers elsewhere for the store, as text of a command."""
    names = ("--config", *(["--store"] if here else []), "--model", "--profile")
    given = [(name, getattr(options, name[2:])) for name in names]
    return "".join(
        f" {name} {shlex.quote(str(value))}"
        for name, value in given
        if value not in {None, ARGUMENTS[name].get("default"), report_locations.MATRIX}
    )
