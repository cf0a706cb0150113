"""The command line's options."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.cli import commands, main
from harness.cli.command_line import COMMANDS, parser
from harness.cli.options import ARGUMENTS
from harness.report.formats import FORMATS


def test_help_imports_only_what_it_needs():
    """The commands themselves import a second's worth of modules."""
    script = (
        "import sys; from harness.cli.command_line import parser; parser().format_help(); "
        "print({'packaging', 'pydantic', 'rich', 'tabulate', 'jinja2', 'json', 'inspect'} & sys.modules.keys() or 'none')"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "none\n"


def test_every_command_is_there_twice_and_every_option_has_a_help():
    assert commands.COMMANDS.keys() == COMMANDS.keys()
    assert all(argument["help"] for argument in ARGUMENTS.values())
    assert {name for line in COMMANDS.values() for name in line.options} == ARGUMENTS.keys()


def test_the_readers_of_values():
    run = parser().parse_args(
        [
            "run",
            "--jobs",
            "3",
            "--budget",
            "10m",
            "--shard",
            "2/3",
            "--audit",
            "5%",
            "--store",
            "s3://a",
            "--executor",
            "dask:b",
        ]
    )
    assert (run.jobs, run.budget, str(run.shard), run.audit) == (3, 600.0, "2/3", 0.05)
    assert (run.store, run.executor, run.format) == ("s3://a", "dask:b", "text")
    pin = parser().parse_args(["pin", "--python", "3.11", "--opset", "17"])
    assert (pin.python, pin.opset) == ("3.11", 17)
    assert parser().parse_args(["bisect", "--good", "a", "--bad", "b", "--axis", "Huggingface_Hub"]).axis == "huggingface-hub"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["run", "--jobs", "0"], "expected a number of probes, 1 or more, not '0'"),
        (["run", "--jobs", "²"], "expected a number of probes, 1 or more, not '²'"),
        (["run", "--budget", "soon"], "expected a duration such as"),
        (["run", "--shard", "4/3"], "expected the number of a shard"),
        (["run", "--audit", "0%"], "expected a share of the cells such as 5%"),
        (["run", "--executor", "dask:"], "expected local, dask or dask:ADDRESS"),
        (["pin", "--python", "three"], "expected CPython versions"),
        (["plan", "--shards", "x"], "expected a number of shards, 1 or more"),
        (["explain", "x", "--format", "yaml"], "invalid choice: 'yaml'"),
        (["explain", "x", "--force"], "unrecognized arguments"),
        (["\x1b[31m"], "\\x1b[31m"),
    ],
)
def test_bad_values(capsys, arguments, error):
    with pytest.raises(SystemExit) as exit_:
        parser().parse_args(arguments)
    assert exit_.value.code == 2
    assert error in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["pni"], "there is no command 'pni'; did you mean 'pin'?"),
        (["bisekt", "--good", "1"], "there is no command 'bisekt'; did you mean 'bisect'?"),
        (["run", "--slect", "torch<2"], "unrecognized arguments: --slect torch<2; did you mean --select?"),
        (["run", "--budgte=10m"], "unrecognized arguments: --budgte=10m; did you mean --budget?"),
        (
            ["explain", "x", "--force"],
            "unrecognized arguments: --force; --force is an option of init, run, cell, clean, check, bisect",
        ),
    ],
)
def test_what_is_mistyped_is_answered_with_what_was_meant(capsys, arguments, hint):
    with pytest.raises(SystemExit) as exit_:
        parser().parse_args(arguments)
    assert exit_.value.code == 2
    assert " ".join(capsys.readouterr().err.split()).endswith(hint if "command" not in hint else f"{hint}; --help lists them")


@pytest.mark.parametrize("arguments", [["run", "--frobnicate"], ["explain", "x", "y"]])
def test_what_is_like_nothing_has_no_hint(capsys, arguments):
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert capsys.readouterr().err.endswith(f"unrecognized arguments: {arguments[-1]}\n")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["run"], ["explain", "x"]])
def test_windows_has_one_sentence(capsys, monkeypatch, arguments):
    """Signals, file locks and process groups are those of POSIX; so is what the published reports were measured on."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(arguments) == 2
    found = capsys.readouterr()
    assert (found.out, found.err) == (
        "",
        "error: this program does not run on Windows: use it in WSL, or in a Linux container\n",
    )


def test_every_command_with_an_answer_has_every_format():
    for command, names in ((name, line.options) for name, line in COMMANDS.items()):
        assert "--format" in names, command
    assert ARGUMENTS["--format"]["choices"] is FORMATS
