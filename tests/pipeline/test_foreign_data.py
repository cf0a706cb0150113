"""Names and versions that are none: no reader takes them, none reaches a file that uv reads, and none ends in a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import packages
import pytest
from project import PYTHON, Project, toml
from pydantic import ValidationError

from harness import packaging_values
from harness.cli.command_line import parser
from harness.decide import version_files, version_sets
from harness.environments import lock_records, published_versions, sources
from harness.environments.interface import ProviderFailure
from harness.environments.uv.client import Uv
from harness.errors import HarnessError, UvError
from harness.locked import Lock, LockedDistribution
from harness.matrix import load, selection
from harness.matrix.schema import UvSources
from harness.model import Interpreter
from harness.subprocesses import Supervisor
from harness.verdicts import report_file

HOSTILE = [
    "2.1.0\n-e /path\n#", "2.1.0\r\n-e .", "2.1.0\r-e .", "2.1.0\x0b-e .", "2.1.0\x0c-e .", "2.1.0\x00", "2.1.0\x85-e .",
    "2.1.0\u2028-e .", "2.1.0\n", "\n2.1.0", " 2.1.0", "2.1.0 ", "2.1.0\t", "2.1.0 # comment", "2.1.0#comment",
    "2.1.0 --hash=sha256:00", "2.1.0; python_version > '3'", "2.1.0 ; extra == 'x\n-e .'", "2.1.0,<3", "-e .", "-r other.txt",
    "--index-url=http://127.0.0.1:9", "--find-links .", "-c x", "file:///etc", "http://127.0.0.1:9/y.whl", "git+https://x/y",
    "torch @ file:///x", "../../etc", "/etc/passwd", "./x.whl", "x[extra", "\u0661.\u0662", "2.1.0\u00a0", "\uff12.1",
    "2.1.0\u202e",
    "2.1.0+\u017f", "\u212a", "2.1.0\u200b", "\ufeff2.1.0", "${HOME}", "$(id)", "`id`", "2.1.0\\", "", "*", "==*", "9" * 5000,
    "1." * 5000 + "1", "(" * 1500, "2.1.0\x1b[2J", "absent\n", "2.1.0'\"", "a b", "===\\", "===/path#x", "<script>", "a|b",
]  # fmt: skip
CLEAN_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CLEAN_VERSION = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z.!+_-]*")
CLEAN_LINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,-]+\])?[ !<>=~0-9a-zA-Z.,*+-]*(; [ -~]+)?")
INTERPRETER = Interpreter(version="3.11.7", path="/python")


@pytest.fixture(params=range(len(HOSTILE)), ids=lambda number: ascii(HOSTILE[number])[:40])
def hostile(request) -> str:
    return HOSTILE[request.param]


def require_clean(entries: Iterable[tuple[str, str]]) -> None:
    for name, version in entries:
        assert CLEAN_NAME.fullmatch(name), name
        assert CLEAN_VERSION.fullmatch(version), version


def test_matrix_toml(tmp_path, hostile):
    """Wherever a name or a version stands in it."""
    axes_ = {name: ["1.0"] for name in ("torch", "transformers", "onnx", "onnxruntime")} | {"python": ["3.11"]}
    one = {name: values[0] for name, values in axes_.items()}
    for table in (
        {"axes": {**axes_, "torch": [hostile]}},
        {"axes": {**axes_, "torch": [f"{hostile}; all"]}},
        {"axes": {**axes_, "python": [hostile]}},
        {"axes": {**axes_, hostile: ["1.0"]}},
        {"axes": axes_, "exclude": [{"torch": hostile}]},
        {"axes": axes_, "exclude": [{hostile: "1.0"}]},
        {"axes": axes_, "include": [{**one, "torch": hostile}]},
        {"axes": axes_, "include": [{**one, "python": hostile}]},
        {"axes": axes_, "constraint": [{"when": "torch<3", "add": [hostile], "reason": "r"}]},
        {"axes": axes_, "constraint": [{"when": "torch<3", "add": [f"numpy=={hostile}"], "reason": "r"}]},
        {"axes": axes_, "constraint": [{"when": f"torch<{hostile}", "add": ["numpy<2"], "reason": "r"}]},
    ):
        path = tmp_path / "matrix.toml"
        path.write_text(toml(table), encoding="utf-8")
        try:
            loaded = load.load(path)
        except HarnessError:
            continue
        for name, values in loaded.axes.items():
            require_clean((name, value) for value in values if ";" not in value)
            for value in values:
                packaging_values.requirement_line(f"{name}{value.partition(';')[0]}" if ";" in value else f"{name}=={value}")
        require_clean(pair for extra in loaded.include for pair in extra.axes.items())
        for rule in loaded.constraint:
            assert all(CLEAN_LINE.fullmatch(line) for line in rule.add), rule.add


def written(folder: Path, name: str, version: str) -> Iterable[Path]:
    """A set with one distribution, in every format."""
    quoted = [json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f") for text in (name, version)]
    entry = f"name = {quoted[0]}\nversion = {quoted[1]}\n"
    texts = {
        "uv.lock": f'version = 1\nrequires-python = ">=3.11"\n[[package]]\n{entry}source = {{ registry = "x" }}\n',
        "pylock.toml": f'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\n{entry}'
        'wheels = [{name = "torch-1-py3-none-any.whl", path = "torch-1-py3-none-any.whl", hashes = {sha256 = "00"}}]\n',
        "requirements.txt": f"numpy\n{name}=={version}\n",
    }
    for file, text in texts.items():
        (folder / file).write_bytes(text.encode("utf-8", errors="surrogatepass"))
        yield folder / file
    info = folder / "env" / "lib" / "python3.11" / "site-packages" / "x.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (folder / "env" / "pyvenv.cfg").write_text("version = 3.11.7\n")
    (info / "METADATA").write_bytes(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode())
    yield folder / "env"


@pytest.mark.parametrize("part", ["name", "version"])
def test_sets_of_versions(tmp_path, hostile, part):
    """uv.lock, pylock.toml, requirements.txt, a live environment."""
    for path in written(tmp_path, *((hostile, "1.0") if part == "name" else ("torch", hostile))):
        try:
            found = version_files.read(path, None, "3.11")
        except HarnessError as refused:
            said = str(refused)
            assert path.name in said
            continue
        require_clean(found.exact.items())
        assert all(CLEAN_LINE.fullmatch(line) for line in found.open), found.open


def test_the_command_line(hostile):
    """Requirements, bounds, Pythons and axes that somebody names."""
    for text in (hostile, f"torch=={hostile}", f"torch>={hostile}"):
        try:
            found = version_sets.distribution(text, "--to")
        except HarnessError:
            continue
        assert CLEAN_LINE.fullmatch(str(found)), str(found)
    try:
        expression = selection.parse(f"torch=={hostile}")
    except HarnessError:
        pass
    else:
        assert all(CLEAN_NAME.fullmatch(axis) for axis in expression.axes)
    for option in (f"--python={hostile}", f"--axis={hostile}"):
        with pytest.raises(SystemExit) as caught:
            parser().parse_args(["bisect", "--good", "1", "--bad", "2", option.replace("\x00", "\n")])
        assert caught.value.code == 2


def test_records_of_the_store(hostile):
    """What is none in a record makes the record none: it counts as absent."""
    result = {"stage": "resolve", "status": "works"}
    for pinned in (
        {"name": hostile, "version": "1.0"},
        {"name": "torch", "version": hostile},
        {"name": "torch", "version": "1.0", "via": [hostile]},
        {"name": "torch", "version": "1.0", "hashes": [hostile]},
        {"name": "torch", "version": "1.0", "hashes": [f"sha256:{hostile}"]},
    ):
        with pytest.raises(ValidationError):
            lock_records.LOCK.adapter.validate_python({"lock": {"distributions": [pinned]}, "result": result}, strict=False)
    with pytest.raises(ValidationError):
        published_versions.VERSIONS.adapter.validate_python(["1.0", hostile])
    with pytest.raises(ValidationError):
        published_versions.PUBLISHED.adapter.validate_python([{"version": hostile, "day": None, "size": None}])
    with pytest.raises(ValidationError):
        sources.TORCH_BACKEND.adapter.validate_python({"backend": hostile, "when": "2026-01-01"}, strict=False)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> str:
    """The text of a matrix.json."""
    made = Project.working(tmp_path_factory.mktemp("published"))
    made.run()
    return (made.reports / "matrix.json").read_text()


def test_matrix_json(tmp_path, published, hostile):
    """Ids, names, versions and values of variants."""

    def pins(cell: dict) -> None:
        cell["pins"]["torch"] = hostile

    def names(cell: dict) -> None:
        cell["resolved"][hostile] = "1.0"

    def variants(cell: dict) -> None:
        cell["variants"][0]["layout"] = hostile

    for change in (
        lambda cell: cell.update(id=hostile),
        lambda cell: cell.update(python=hostile),
        pins,
        names,
        variants,
    ):
        report = json.loads(published)
        change(report["cells"][0])
        path = tmp_path / "matrix.json"
        path.write_text(json.dumps(report))
        with pytest.raises(HarnessError, match="is no matrix"):
            report_file.read(path)


def test_the_wall_before_uv(tmp_path, hostile):
    """Whoever asks uv, and for whatever: a file for uv has nothing but names, versions and hashes."""
    binary = tmp_path / "uv"
    binary.write_text(f'#!/bin/sh\nfor word; do case "$word" in /*) cat "$word" >> {tmp_path}/seen;; esac; done\nexit 1\n')
    binary.chmod(0o755)
    made = Uv(
        binary=str(binary), sources=UvSources(), torch_backend=None, offline=False, folder=tmp_path, children=Supervisor()
    )
    locked = [
        Lock(distributions=(LockedDistribution(name="torch", version=hostile),)),
        Lock(distributions=(LockedDistribution(name=hostile, version="1.0"),)),
        Lock(distributions=(LockedDistribution(name="torch", version="1.0", hashes=(hostile,)),)),
    ]
    calls = [
        *(lambda lock=lock: made.install(tmp_path / "env", lock) for lock in locked),
        *(lambda lock=lock: made.resolve(["torch"], INTERPRETER, (), lock) for lock in locked),
        *(lambda lock=lock: made.pylock(lock, INTERPRETER) for lock in locked[:2]),
        lambda: made.resolve([f"torch=={hostile}"], INTERPRETER),
        lambda: made.resolve([hostile], INTERPRETER),
        lambda: made.resolve(["torch"], INTERPRETER, [f"torch=={hostile}"]),
        lambda: made.newest("torch", hostile, INTERPRETER),
        lambda: made.newest(hostile, "", INTERPRETER),
        lambda: made.published(f"torch=={hostile}", INTERPRETER),
        lambda: made.released("torch", hostile, INTERPRETER),
    ]
    for call in calls:
        with pytest.raises((UvError, ProviderFailure)):
            call()
    seen = (tmp_path / "seen").read_text().splitlines() if (tmp_path / "seen").exists() else []
    for line in seen:
        assert CLEAN_LINE.fullmatch(line.removesuffix(" \\")), line


@pytest.mark.parametrize("version", ["1!2.0", "2.1.0+cpu", "1!2.1.0.post1+cu121.x", "2.1.0rc1", "2.1.0.dev3"])
def test_versions_with_an_epoch_or_a_local_part_are_versions(version):
    assert packaging_values.exact_version(version) == version
    assert packaging_values.requirement_line(f"torch=={version}") == f"torch=={version}"


@pytest.mark.parametrize(
    "text", ["numpy<2", "numpy<2 ; python_version < '3.12'", "optimum[onnxruntime]>=1.16", "numpy (>=1.26,<2)", "ml_dtypes"]
)
def test_what_a_constraint_may_add(text):
    assert packaging_values.requirement_line(text)


def test_an_archive_and_a_folder_in_a_pylock_are_left_out_and_named(tmp_path):
    path = tmp_path / "pylock.toml"
    path.write_text(
        'lock-version = "1.0"\ncreated-by = "x"\n'
        '[[packages]]\nname = "torch"\nversion = "2.1.0"\nwheels = [{name = "torch-2.1.0-py3-none-any.whl", '
        'path = "torch-2.1.0-py3-none-any.whl", hashes = {sha256 = "00"}}]\n'
        '[[packages]]\nname = "a"\nversion = "1.0"\nvcs = {type = "git", url = "https://x/y", commit-id = "00"}\n'
        '[[packages]]\nname = "b"\nversion = "1.0"\narchive = {path = "b.zip", hashes = {sha256 = "00"}}\n'
        '[[packages]]\nname = "c"\nversion = "1.0"\ndirectory = {path = "."}\n'
    )
    found = version_files.read(path, None, "3.11")
    assert found.exact == {"torch": "2.1.0"}
    assert [text.partition(":")[0] for text in found.missing] == ["a", "b", "c"]


def source_tree(folder: Path) -> Path:
    """A source tree whose build backend leaves a file named `built`."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[build-system]\nrequires=[]\nbuild-backend="backend"\nbackend-path=["."]\n')
    (folder / "backend.py").write_text(f"open({str(folder / 'built')!r}, 'w')\n")
    return folder


def test_a_lock_builds_nothing(project):
    tree = source_tree(project.root / "tree")
    versions = {"torch": f"2.1.0\n-e {tree}\n#", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3"}
    packages_ = "".join(
        f'[[package]]\nname = "{name}"\nversion = {json.dumps(version)}\nsource = {{ registry = "x" }}\n'
        for name, version in versions.items()
    )
    lock = project.root / "uv.lock"
    lock.write_text(f'version = 1\nrequires-python = ">=3.11"\n{packages_}')
    answer = project.main("check", "--from", str(lock), "--to", "numpy<2", "--quiet")
    assert answer.code == 2
    assert "uv.lock cannot be used: an entry of 'torch': expected an exact version, not '2.1.0\\n-e" in answer.err
    assert not (tree / "built").exists()


def test_an_axis_builds_nothing(project):
    tree = source_tree(project.root / "tree")
    project.configure({f"-e {tree} #": ["1.0"]})
    answer = project.main("plan")
    assert answer.code == 2
    assert "matrix.toml: axes: expected the name of a distribution such as 'torch', not '-e" in answer.err
    assert not (tree / "built").exists()


def test_a_url_in_a_constraint_is_refused_with_the_mend(project):
    project.configure(constraint=[{"when": "torch<3", "add": ["numpy @ file:///numpy.whl"], "reason": "r"}])
    answer = project.main("plan")
    assert answer.code == 2
    assert "matrix.toml: constraint[0].add[0]: expected a name and versions, not the URL" in answer.err
    assert "find-links" in answer.err


def test_the_id_of_a_published_cell_is_no_path(project, published):
    report = json.loads(published)
    report["cells"][0]["id"] = "../../../outside"
    report["recommended"] = {"1.16.3": "../../../outside"}
    project.reports.mkdir()
    (project.reports / "matrix.json").write_text(json.dumps(report))
    answer = project.main("pin")
    assert answer.code == 2
    assert "is no matrix.json of this version: cells.0.id: " in answer.err
    assert not (project.root / "outside").exists()


def test_a_message_steers_neither_terminal_nor_page(project):
    message = r"\x1b[2J <img src=x> \u202e | `tick \ud83d [/] \x7f ##[error]x http://user:s3kr3t@h/"
    project.publish(packages.torch("2.1.0", on_export=f"raise RuntimeError('{message}')"))
    answer = project.main("run")
    assert answer.code == 0, answer.err
    (cell,) = project.cells()
    page = (project.reports / "matrix.md").read_text()
    texts = [answer.out, answer.err, page]
    for command, *arguments in (
        ("explain", cell),
        ("report",),
        ("report", "--format", "markdown"),
        ("report", "--format", "json"),
    ):
        told = project.main(command, *arguments)
        assert told.code == 0, told.err
        texts += [told.out, told.err]
    for text in texts:
        assert all(character.isprintable() or character == "\n" for character in text), ascii(text)
        assert "s3kr3t" not in text
        assert "##[" not in text
    assert "\\x1b[2J <img src=x> \\u202e" in answer.out
    assert "> `" in page


def test_a_bracket_in_a_path_is_a_bracket(project):
    folder = project.root / "a[/]b" / "[bold]"
    answer = project.main("run", "--reports", str(folder))
    assert answer.code == 0, answer.err
    assert str(folder / "matrix.md") in answer.err


@pytest.mark.parametrize("form", ["text", "json", "markdown", "github"])
def test_the_password_of_an_index_is_not_printed(project, form):
    path = project.root / "requirements.txt"
    path.write_text(
        "--index-url http://user:s3kr3t@127.0.0.1:9/simple\n--find-links=https://s3kr3t@127.0.0.1:9/\n"
        "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"
    )
    answer = project.main("check", "--from", str(path), "--python", PYTHON, "--format", form)
    assert answer.code == 0, answer.err
    assert "s3kr3t" not in answer.out + answer.err
    if form != "github":
        assert "***@127.0.0.1:9" in answer.out


def test_the_password_of_an_index_that_does_not_answer_is_not_printed(project):
    project.configure(uv={"default-index": "http://user:s3kr3t@127.0.0.1:9/simple", "torch-backend": "default"})
    answer = project.main("run", "--quiet")
    written_ = [path.read_text(errors="replace") for path in project.reports.glob("matrix.*")]
    written_ += [path.read_text(errors="replace") for path in (project.store / "results").glob("??/*")]
    assert "s3kr3t" not in answer.out + answer.err + "".join(written_)
