"""matrix.toml: what is accepted, and the sentence for everything that is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.matrix.load import load
from harness.matrix.plan import plan
from harness.matrix.selection import Selection

AXES = """
[axes]
python = "3.11"
torch = ["2.1.2", ">=2.4,<3; latest-per-minor"]
transformers = "4.46.3"
onnx = ["1.16.2"]
onnxruntime = ["1.16.3"]
"""


def read(folder: Path, text: str, note=lambda _: None):
    path = folder / "matrix.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, note)


def test_the_least_that_is_needed(tmp_path):
    matrix = read(tmp_path, AXES)
    assert matrix.axes["python"] == ["3.11"]
    assert matrix.axes["torch"] == ["2.1.2", ">=2.4,<3; latest-per-minor"]
    assert matrix.setup == ["together"]
    assert matrix.variants.exporters == ["torchscript", "dynamo"]
    assert matrix.variants.feedbacks == ["keep-cross"]
    assert matrix.uv.torch_backend == "auto"


def test_a_selector_without_bounds_may_be_its_policy_alone(tmp_path):
    axes = AXES.replace('onnx = ["1.16.2"]', 'onnx = ["latest", "; oldest", " all "]')
    assert read(tmp_path, axes).axes["onnx"] == ["; latest", "; oldest", "; all"]


def test_a_byte_order_mark_is_no_part_of_the_matrix(tmp_path):
    assert read(tmp_path, f"\ufeff{AXES}") == read(tmp_path, AXES)


def test_names_of_axes_are_canonical(tmp_path):
    assert "sentence-piece" in read(tmp_path, AXES + 'Sentence_Piece = "0.2.0"\n').axes


@pytest.mark.parametrize(
    ("written", "seconds"), [('"90s"', 90), ('"5m"', 300), ('"1h"', 3600), ('"1.5s"', 1.5), ("45", 45), ("2.5", 2.5)]
)
def test_durations(tmp_path, written, seconds):
    assert read(tmp_path, f"{AXES}[run]\ntime-limit = {written}\n").run.time_limit == seconds


@pytest.mark.parametrize(("written", "size"), [('"800MB"', 800_000_000), ('"6GB"', 6_000_000_000), ("1000000", 1_000_000)])
def test_sizes(tmp_path, written, size):
    assert read(tmp_path, f"{AXES}[run]\nmemory-limit = {written}\n").run.memory_limit == size


@pytest.mark.parametrize(
    ("tail", "place", "words"),
    [
        ("optimum = 2.10", "axes.optimum", "expected versions in quotes, such as '3.11', not the float 2.1"),
        ("optimum = [1]", "axes.optimum", "not the int 1"),
        ("optimum = []", "axes.optimum", "at least 1 item"),
        ("optimum = true", "axes.optimum", "bool"),
        ('optimum = "two"', "axes.optimum", "expected an exact version such as '2.1.2' or a selector"),
        ('optimum = ">=2"', "axes.optimum", "expected an exact version"),
        ('optimum = ">=2; newest"', "axes.optimum", "expected one of latest, latest-per-minor, latest-per-major, all"),
        ('optimum = "2 or 3; all"', "axes.optimum", "expected version bounds such as '>=4.36,<6' before ';'"),
        ('optimum = ["1.0", ">=2;"]', "axes.optimum[1]", "after ';', not ''"),
        ("[axis]", "axis", "unknown key; did you mean 'axes'?"),
        ("[run]\ntime-limits = 3", "run.time-limits", "unknown key; did you mean 'time-limit'?"),
        ("[run]\ntime_limit = 3", "run.time_limit", "did you mean 'time-limit'?"),
        ("[run]\nzzz = 3", "run.zzz", "unknown key; expected one of"),
        ("[run]\ntime-limit = '3 days'", "run.time-limit", "expected a duration such as '90s', '5m' or '1h', not '3 days'"),
        ("[run]\ntime-limit = 0", "run.time-limit", "expected a duration"),
        ("[run]\ntime-limit = true", "run.time-limit", "expected a duration"),
        ("[run]\ntime-limit = inf", "run.time-limit", "expected a duration"),
        ("[run]\ntime-limit = nan", "run.time-limit", "expected a duration"),
        (f"[run]\ntime-limit = '{'9' * 400}s'", "run.time-limit", "expected a duration"),
        (f"[run]\nmemory-limit = '{'9' * 400}GB'", "run.memory-limit", "expected a size"),
        ("[run]\nmemory-limit = 1000000000000000001", "run.memory-limit", "expected a size"),
        ("[variants.opsets]\ndynamo = '1-10000000'", "variants.opsets.dynamo", "expected opsets such as 17"),
        (f"[variants.opsets]\ndynamo = '1-{'9' * 5000}'", "variants.opsets.dynamo", "expected opsets such as 17"),
        ("[variants.opsets]\ndynamo = [18, 1001]", "variants.opsets.dynamo", "expected opsets such as 17"),
        (
            "[probe]\nmodule = 'p.py'\n[variants]\nexporters = ['dynamo']\nlayouts = ["
            + ", ".join(f"'a{n}'" for n in range(1001))
            + "]\n[variants.opsets]\ndynamo = '1-1000'",
            "variants",
            "expected at most 1,000,000 variants, not 1,001,000",
        ),
        ("[probe]\nmodule = '~nosuchuser/p.py'", "probe.module", "'~nosuchuser/p.py' is none"),
        ("[probe]\nmodel = '~nosuchuser/m'", "probe.model", "'~nosuchuser/m' is no model family"),
        ("[run]\nmemory-limit = '6GiB'", "run.memory-limit", "expected a size such as '800MB' or '6GB', not '6GiB'"),
        ("[run]\njobs = 'many'", "run.jobs", "'auto'"),
        ("[variants]\nexporters = ['optimise']", "variants.exporters[0]", "unknown: 'optimise'; "),
        ("[variants]\nlayouts = ['whole']", "variants.layouts[0]", "expected one of merged, merged-passthrough"),
        ("[variants]\nstrategies = ['Cached']", "variants.strategies[0]", "pattern"),
        ("[variants]\nstrategy = ['Cached']", "variants.strategy[0]", "pattern"),
        ("[variants]\nstrategy = ['eager']", "variants.strategy[0]", "unknown: 'eager'; expected one of cached, mixed"),
        ("[variants]\nfeedbacks = ['none']\nfeedback = ['none']", "variants.feedback", "is the old spelling of 'feedbacks'"),
        ("[variants]\nbindingz = ['numpy']", "variants.bindingz", "unknown key; did you mean 'bindings'?"),
        ("[variants]\nexporters = []", "variants.exporters", "at least 1 item"),
        ("[variants]\nlayouts = 'pair'", "variants.layouts", "list"),
        ("[variants]\nopsets = {torchscript = [17]}", "variants.opsets.dynamo", "expected a list of opsets"),
        ("[variants]\nopsets = {tf2onnx = [17]}", "variants.opsets.tf2onnx", "expected one of dynamo, optimum"),
        ("[variants]\nopsets = {torchscript = ['17'], dynamo = [18]}", "variants.opsets.torchscript", "not '17'"),
        ("[variants]\nopsets = {torchscript = '20-12', dynamo = [18]}", "variants.opsets.torchscript", "not '20-12'"),
        ("[variants]\nexporters = ['dynamo', 'dynamo']", "variants.exporters", "each value once; 'dynamo' is there 2 times"),
        ("[variants]\nlayouts = ['pair', 'merged', 'pair']", "variants.layouts", "each value once; 'pair'"),
        ("[variants]\nir-versions = [9, 'stamped', 9]", "variants.ir-versions", "each value once; 9"),
        ("[variants]\nir-version = [9, 'stamped', 9]", "variants.ir-version", "each value once; 9"),
        ("optimum = ['2.1', '2.1.0']", "axes.optimum[1]", "expected each version once; '2.1.0' is there as '2.1'"),
        ("optimum = ['>=2; all', '3.0', '>=2;all']", "axes.optimum[2]", "expected each version once; '>=2; all'"),
        ("[probe]\nmodule = 'no.py'", "probe.module", "expected a Python file"),
        ("[probe]\nmodule = 'matrix.toml'", "probe.module", "expected a Python file"),
        ("[probe]\nfiles = ['*.py']", "probe.files", "set probe.module"),
        ("[probe]\nmodule = 'own.py'\nmodel = 't5'", "probe.model", "use probe.options"),
        ("[probe]\nmodule = 'own.py'\nfiles = ['*.txt']", "probe.files[0]", "no file beside own.py matches '*.txt'"),
        ("[probe]\nmodule = 'own.py'\nfiles = ['../x.py']", "probe.files[0]", "expected a pattern within"),
        ("[probe]\nmodel = 'bert'", "probe.model", "no model family (marian, "),
        ("[probe]\nseed = '0'", "probe.seed", "integer"),
        ("[uv]\nfind_links = []", "uv.find_links", "did you mean 'find-links'?"),
        ("[uv]\nfind-links = 'wheels'", "uv.find-links", "list"),
        ("[uv]\nno-index = 'yes'", "uv.no-index", "boolean"),
        ("[[exclude]]\ntorhc = '<2'", "exclude[0].torhc", "no such axis; did you mean 'torch'?"),
        ("[[exclude]]\nreason = 'x'", "exclude[0]", "expected at least one axis; an empty rule would match every cell"),
        ("[[exclude]]\ntorch = 'old'", "exclude[0].torch", "expected a version or bounds such as '<2.4', not 'old'"),
        ("[[exclude]]\ntorch = 2.1", "exclude[0].torch", "string"),
        ("[exclude]\ntorch = '2.1'", "exclude", "list"),
        ("[[include]]\ntorch = '2.1'", "include[0]", "expected a version for every axis; 'onnx' is missing"),
        (
            "[[include]]\npython='3.11'\ntorch='>2'\ntransformers='4.46.3'\nonnx='1.16.2'\nonnxruntime='1.16.3'",
            "include[0].torch",
            "expected an exact version, not '>2'",
        ),
        ("[[constraint]]\nwhen = 'torch<2'\nreason = 'x'", "constraint[0].add", "missing; this key is required"),
        ("[[constraint]]\nwhen = 'torch<2'\nadd = ['numpy<2']", "constraint[0].reason", "missing"),
        ("[[constraint]]\nwhen = 'torch'\nadd = ['numpy<2']\nreason = 'x'", "constraint[0].when", "cannot read 'torch'"),
        (
            "[[constraint]]\nwhen = 'exporter==dynamo'\nadd = ['numpy<2']\nreason = 'x'",
            "constraint[0].when",
            "'exporter' is no axis; expected conditions on versions",
        ),
        ("[[constraint]]\nwhen = 'torhc<2'\nadd = ['numpy<2']\nreason = 'x'", "constraint[0].when", "did you mean 'torch'?"),
        (
            "[[constraint]]\nwhen = 'torch<2'\nadd = ['numpy <> 2']\nreason = 'x'",
            "constraint[0].add[0]",
            "expected a requirement",
        ),
        ("[[constraint]]\nwhen = 'torch<2'\nadd = []\nreason = 'x'", "constraint[0].add", "at least 1 item"),
    ],
)
def test_what_is_wrong_and_where(tmp_path, tail, place, words):
    (tmp_path / "own.py").touch()
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"{AXES}{tail}\n")
    message = str(caught.value)
    assert message.startswith(f"matrix.toml: {place}: ")
    assert words in message


def test_all_that_is_wrong_with_values_and_its_lines(tmp_path):
    tail = """
[[constraint]]
when = 'torch<2'
add = ['numpy<2']
reason = 'x'

[[constraint]]
when = 'torch<2'
add = ['numpy <> 2']
reason = 'x'
[run]
'jobs' = 0
[variants]
layout = ['pair']
"""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, AXES + tail)
    first = f"{AXES}{tail}".splitlines().index("add = ['numpy <> 2']") + 1
    found = str(caught.value).splitlines()
    assert [line.strip().partition(": ")[2].partition(":")[0] for line in found] == [
        "constraint[1].add[0]",
        "variants.layout",
        "run.jobs",
    ]
    assert [line.rpartition(" ")[2] for line in found] == [f"{first})", f"{first + 5})", f"{first + 3})"]
    assert "did you mean 'layouts'?" in found[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "axes: missing"),
        ("axes = 3", "axes: "),
        ('environment = "apart"' + AXES, "environment: input should be 'together' or 'handoff'"),
        (
            AXES.replace("onnxruntime", "onnxruntime-gpu"),
            "axes: a runtime is missing; expected at least one version of 'onnxruntime'",
        ),
        (AXES.replace('"3.11"', '"pypy3.10"'), "axes.python: expected an exact version"),
        (AXES.replace('"3.11"', '"2.7"'), "axes.python: expected CPython versions such as '3.11', not '2.7'"),
        (AXES.replace('"3.11"', '">=3.9; all"'), "axes.python: expected CPython versions"),
        ("axes = {", "not valid TOML"),
        pytest.param(f"axes = {'9' * 5000}", "not valid TOML: Exceeds the limit", id="digits"),
        ('environment = ["handoff", "handoff"]' + AXES, "environment: expected each value once"),
        (AXES.replace('"3.11"', '["3.11", "3.11"]'), "axes.python[1]: expected each version once"),
    ],
)
def test_what_is_wrong_with_the_axes(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "require",
    [
        "some",
        "exporter",
        "torch>=",
        "exporter=nonesuch",
    ],
)
def test_require_is_read_with_the_rest(tmp_path, require):
    with pytest.raises(ConfigError, match=r"variants\.require"):
        read(tmp_path, f"{AXES}[variants]\nrequire = {require!r}\n")


def test_a_constraint_names_axes_that_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"constraint\[0\]"):
        read(tmp_path, f"{AXES}[[constraint]]\nwhen = 'torhc<2'\nadd = ['numpy<2']\nreason = 'x'\n")


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_are_one_or_more(tmp_path, jobs):
    with pytest.raises(ConfigError, match=r"run\.jobs"):
        read(tmp_path, f"{AXES}[run]\njobs = {jobs}\n")


@pytest.mark.parametrize("name", ["matrix.toml", "matrix-full.toml"])
def test_the_shipped_matrices_are_valid(name):
    assert load(Path(__file__).parents[3] / name).axes["onnxruntime"]


def test_a_matrix_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "matrix.toml")
    with pytest.raises(ConfigError, match=r"matrix\.toml: is a FIFO, not a regular file"):
        load(tmp_path / "matrix.toml")


SPELLINGS = {
    "feedback": ("feedbacks", "['keep-cross', 'feed-all']"),
    "binding": ("bindings", "['numpy', 'ortvalue']"),
    "strategy": ("strategies", "['cached', 'mixed']"),
    "attention": ("attentions", "['default', 'eager']"),
    "ir-version": ("ir-versions", "['stamped', 9]"),
    "optimization": ("optimizations", "['default', 'disabled']"),
    "memory-pattern": ("memory-patterns", "['disabled']"),
}


def test_old_spellings_mean_the_same_plan_and_are_noted_once(tmp_path):
    setups, notes = "['handoff', 'together']", []
    old, new = (
        f"{setup} = {setups}\n{AXES}[variants]\n" + "".join(f"{key} = {values}\n" for key, values in lists)
        for setup, lists in (
            ("environment", [(name, values) for name, (_, values) in SPELLINGS.items()]),
            ("setup", SPELLINGS.values()),
        )
    )
    first, second = read(tmp_path, old, notes.append), read(tmp_path, new, notes.append)
    assert first == second
    axes = {axis: ["3.11"] if axis == "python" else ["1.2.3"] for axis in first.axes}
    planned = [plan(matrix, axes, Selection.of(axes=list(axes))) for matrix in (first, second)]
    assert planned[0] == planned[1]
    assert len(planned[0]) == 2
    assert len(planned[0][0].variants) == 2 * 2 * 2**6
    (note,) = notes
    assert note.startswith(
        "matrix.toml has old spellings of keys, which are still read: environment (now setup), feedback (now "
    )
    assert all(f"{name} (now {key})" in note for name, (key, _) in SPELLINGS.items())


def test_a_probe_of_ones_own_has_its_defaults_under_either_spelling(tmp_path):
    (tmp_path / "own.py").touch()
    own = f"{AXES}[probe]\nmodule = 'own.py'\n[variants]\nexporters = ['dynamo']\n"
    assert read(tmp_path, own).variants.strategies == ["default"]
    assert read(tmp_path, f"{own}strategy = ['mine']\n").variants.strategies == ["mine"]


def test_the_shipped_matrices_have_no_old_spelling():
    root = Path(__file__).parents[3]
    notes: list[str] = []
    for path in root.glob("matrix*.toml"):
        load(path, notes.append)
    assert notes == []
