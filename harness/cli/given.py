"""What the options of a command line mean: settings, and the options that another command needs for the same matrix."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import fields
from typing import Any

from harness.cli.options import ARGUMENTS
from harness.execution.settings import Settings


def settings_of(options: argparse.Namespace) -> Settings:
    """What the command line says; what a command has no option for is as `Settings` has it."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(options).items()
        if name in {field.name for field in fields(Settings)}
    }
    return Settings(**given, cell=getattr(options, "id", None))


def same_matrix(options: argparse.Namespace) -> str:
    """The options by which another command means the same matrix, store and model: those that were given."""
    names = ("--config", "--store", "--model", "--profile")
    given = [(name, getattr(options, name[2:])) for name in names]
    return "".join(
        f" {name} {shlex.quote(str(value))}" for name, value in given if value not in {None, ARGUMENTS[name].get("default")}
    )
