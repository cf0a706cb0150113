"""The current set, read wherever people keep it."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from harness.decide.version_files import read
from harness.decide.version_sets import Versions
from harness.errors import VersionsError

FOUR = {"torch": "2.1.0", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3"}


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_requirements_with_hashes_comments_markers_and_nested_files(tmp_path):
    written(tmp_path, "base.txt", "ONNX==1.16.2\n")
    path = written(
        tmp_path,
        "requirements.txt",
        """
        # what we deploy
        --index-url https://example.org/simple
        torch==2.1.0+cu121 \\
            --hash=sha256:00 \\
            --hash=sha256:11   # and a comment
        transformers[sentencepiece]==4.46.3
        -r base.txt
        onnxruntime==1.16.3 ; python_version >= "3.8"
        onnxruntime==1.15.1 ; python_version < "3.8"
        numpy<2
        numpy>=1.24
        ours @ https://example.org/ours-1.0-py3-none-any.whl
        """,
    )
    found = read(path, None, "3.10")
    assert found.exact == {**FOUR, "torch": "2.1.0+cu121"}
    assert found.extras == {"transformers": {"sentencepiece"}}
    assert found.open == ("numpy<2", "numpy>=1.24")
    assert found.python == "3.10"
    assert [text.split(":")[0] for text in (*found.ignored, *found.missing)] == ["--index-url https", "ours"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("https://user:s3kr3t@example.org/My_Pack-1.0-py3-none-any.whl#sha256=00", "my-pack"),
        ("./dist/My_Pack-1.0-py3-none-any.whl[x] ; python_version >= '3.8'", "my-pack"),
        ("My_Pack-1.0-py3-none-any.whl", "my-pack"),
        ("https://s3kr3t@example.org/My%5FPack-1.0-py3-none-any.whl", "my-pack"),
        ("git+https://user:s3kr3t@example.org/x.git@main", "git+https://"),
        ("../theirs", "../theirs"),
        (".", "."),
        ("dist/theirs.tar.gz", "dist/theirs.tar.gz"),
    ],
)
def test_what_a_url_or_a_path_names_is_missing(tmp_path, line, named):
    found = read(written(tmp_path, "r.txt", f"torch==2.1.0\n{line}\n"), None, "3.11")
    (missing,) = found.missing
    assert (found.exact, found.ignored) == ({"torch": "2.1.0"}, ())
    assert missing.startswith(named)
    assert missing.endswith(": it comes from a URL or a folder, and no index has it")
    assert "s3kr3t" not in missing


def test_a_path_with_a_marker_of_another_python_is_not_missing(tmp_path):
    assert read(written(tmp_path, "r.txt", "a==1\n./theirs ; python_version < '3.8'\n"), None, "3.11").missing == ()


@pytest.mark.parametrize("line", ["-e .", "--editable=./theirs[x]", "-e file:///x"])
def test_a_project_in_editable_mode_is_named(tmp_path, line):
    found = read(written(tmp_path, "r.txt", f"a==1\n{line}\n"), None, "3.11")
    assert (found.missing, found.ignored) == (
        (),
        (f"{line}: it is a project in editable mode, and its dependencies are not read",),
    )


@pytest.mark.parametrize("option", ["-e ", "--editable=", "--editable "])
def test_a_project_at_a_url_is_missing_also_in_editable_mode(tmp_path, option):
    found = read(written(tmp_path, "r.txt", f"a==1\n{option}git+https://example.org/x.git#egg=x\n"), None, "3.11")
    assert found.ignored == ()
    (missing,) = found.missing
    assert missing.endswith(": it comes from a URL or a folder, and no index has it")


def test_a_version_that_is_written_otherwise_is_no_second_pin(tmp_path):
    path = written(tmp_path, "r.txt", "torch==2.1\nonnx==1.16.2\ntorch==2.1.0+cu121\n")
    assert read(path, None, None).exact == {"torch": "2.1.0+cu121", "onnx": "1.16.2"}


def test_a_constraints_file_limits_what_is_required_and_requires_nothing(tmp_path):
    """As uv has it, also for what a constraints file names in turn."""
    written(
        tmp_path,
        "limits.txt",
        "torch==2.1.0\nonnx<2\nextrathing==0.1.0+cpu\nnumpy<2\nnumpy>1\n-r more.txt\n--constraint=less.txt\n",
    )
    written(tmp_path, "more.txt", "transformers==4.46.3\n")
    written(tmp_path, "less.txt", "protobuf<4\n")
    path = written(tmp_path, "r.txt", "-c limits.txt\ntorch\nonnx==1.16.2\n")
    found = read(path, None, None)
    assert found.exact == {"torch": "2.1.0", "onnx": "1.16.2"}
    assert found.open == ()
    assert found.bounds == ("extrathing==0.1.0+cpu", "transformers==4.46.3", "numpy<2", "numpy>1", "protobuf<4")
    # The same file as both.
    path.write_text("-c limits.txt\n-r more.txt\ntorch\n")
    assert read(path, None, None).exact == {"torch": "2.1.0", "transformers": "4.46.3"}
    path.write_text("-c limits.txt\ntorch==2.2.0\n")
    with pytest.raises(VersionsError, match=r"torch is pinned twice, to 2\.2\.0 and to 2\.1\.0"):
        read(path, None, None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_file_in_an_encoding_that_windows_writes(tmp_path, encoding, nested):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path = tmp_path / "r.txt"
    path.write_bytes(mark + "torch==2.1.0\r\n# ümlaut\r\nonnx==1.16.2\r\n".encode(encoding))
    if nested:
        path = written(tmp_path, "all.txt", "-r r.txt\n")
    assert read(path, None, None).exact == {"torch": "2.1.0", "onnx": "1.16.2"}


def test_markers_are_those_of_the_python_that_is_asked_about(tmp_path):
    path = written(tmp_path, "r.txt", "a==1 ; python_version < '3.9'\na==2 ; python_version >= '3.9'\n")
    assert read(path, "3.8", "3.11").exact == {"a": "1"}
    assert read(path, None, "3.11").exact == {"a": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("torch==2.1.0\ntorch==2.2.0\n", "torch is pinned twice, to 2.1.0 and to 2.2.0"),
        ("torch = 2.1.0\n", "cannot read the line 'torch = 2.1.0'"),
        ("-r absent.txt\n", "absent.txt cannot be read"),
        ("# nothing\n", "names no distribution"),
        ('numpy; "x" in extras\n', "the marker 'extras' is valid in a lock only"),
        (f"numpy{' ' * 300_000}x\n", "cannot read the line"),
        (f"-r{'=' * 300_000} x\n", "x cannot be read"),
    ],
)
def test_requirements_that_cannot_be_read(tmp_path, text, said):
    path = written(tmp_path, "requirements.txt", text)
    with pytest.raises(VersionsError, match=said):
        read(path, None, "3.11")


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("# in C:\\wheels\\\na==1\n", {"a": "1"}),
        ("a==1  # in C:\\wheels\\\nb==1\n", {"a": "1", "b": "1"}),
        ("a==1 \\\n  # why \\\nb==1\n", {"a": "1", "b": "1"}),
        ("a==1\rb==1\r\nc==1\n\nd==1", {"a": "1", "b": "1", "c": "1", "d": "1"}),
        ("a==1 \\\r\n  ; python_version < '3'\r\nb==1 \\", {"b": "1"}),
        *[(f"a==1\n# b:{mark}b==1\n", {"a": "1"}) for mark in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"],
    ],
)
def test_lines_and_comments_end_where_they_end_for_uv(tmp_path, text, exact):
    path = tmp_path / "requirements.txt"
    path.write_text(text, encoding="utf-8", newline="")
    assert read(path, None, "3.11").exact == exact


@pytest.mark.parametrize(
    "name", ["my base.txt", "my base.txt  # x", '"my base.txt"', "'my base.txt'", "my\\ base.txt", "other#x"]
)
@pytest.mark.parametrize("option", ["-r ", "-c ", "--requirement=", "--constraint\t"])
def test_the_name_of_a_nested_file_as_uv_reads_it(tmp_path, option, name):
    written(tmp_path, "my base.txt", "numpy==1.26.4\n")
    written(tmp_path, "other", "numpy==1.26.4\n")
    found = read(written(tmp_path, "r.txt", f"{option}{name}\n"), None, "3.11")
    assert found.requirements == {"numpy": "numpy==1.26.4"}


@pytest.mark.parametrize(
    "name", ["file://{folder}/my%20base.txt", "file://localhost{folder}/my%20base.txt", "${{BASES}}/my base.txt"]
)
def test_a_nested_file_by_a_url_or_a_variable_as_uv_reads_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BASES", str(tmp_path))
    written(tmp_path, "my base.txt", "numpy==1.26.4\n")
    path = written(tmp_path, "r.txt", f"-r {name.format(folder=tmp_path)}\n")
    assert read(path, None, "3.11").exact == {"numpy": "1.26.4"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("file://server/base.txt", "file://server/base.txt cannot be read: it names another machine"),
        ("${BASES_THAT_NOBODY_SET}/base.txt", "BASES_THAT_NOBODY_SET}/base.txt cannot be read"),
        ("$HOME/base.txt", "\\$HOME/base.txt cannot be read"),
    ],
)
def test_a_nested_file_that_uv_would_not_find_either(tmp_path, name, said):
    with pytest.raises(VersionsError, match=said):
        read(written(tmp_path, "r.txt", f"-r {name}\n"), None, "3.11")


@pytest.mark.parametrize("url", ["https://user:s3kr3t@h/x.txt", "HTTP://s3kr3t@h/x y.txt", "https://h/x?token=s3kr3t"])
def test_a_nested_file_at_a_url_is_named_without_its_secret(tmp_path, url):
    (missing,) = read(written(tmp_path, "r.txt", f"a==1\n-c {url}\n"), None, "3.11").missing
    assert missing.endswith(": it is at a URL, and only files are read")
    assert missing.startswith("-c ")
    assert "s3kr3t" not in missing


@pytest.mark.parametrize(
    ("pin", "bounds", "counted"),
    [
        ("numpy==2.1.0", ("numpy<2", "numpy>1"), ("numpy<2",)),
        ("numpy==2.1.0", ("numpy!=2.1.0",), ("numpy!=2.1.0",)),
        ("numpy==2.1.0", ("numpy==2.1.*", "numpy"), ()),
        ("numpy==2.1.0rc1", ("numpy>=2",), ()),
        ("numpy==2.1.0+cpu", ("numpy>=2.1", "numpy!=2.1.0+cu121"), ()),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_bound_that_excludes_the_pin_counts(tmp_path, pin, bounds, counted, first):
    written(tmp_path, "limits.txt", "\n".join(bounds))
    lines = [pin, "-c limits.txt"]
    found = read(written(tmp_path, "r.txt", "\n".join(lines if first else reversed(lines))), None, "3.11")
    assert found.exact.keys() == {"numpy"}
    assert found.open == counted


def test_of_a_file_that_another_names_no_line_is_shown(tmp_path):
    written(tmp_path, "netrc", "torch==2.1.0\n\nmachine h \\\n  password s3kr3t\n")
    with pytest.raises(VersionsError, match="netrc, line 3 is no requirement") as raised:
        read(written(tmp_path, "r.txt", "-r netrc\n"), None, "3.11")
    assert "s3kr3t" not in str(raised.value)
    written(tmp_path, "options", "--password s3kr3t\ntorch==2.1.0\npython==3.9 # s3kr3t\n")
    ignored = read(written(tmp_path, "r.txt", "-c options\n"), None, "3.11").ignored
    assert [text.partition(":")[0] for text in ignored] == [f"{tmp_path}/options, line 1", f"{tmp_path}/options, line 3"]


PYLOCK = """
lock-version = "1.0"
created-by = "test"
requires-python = ">=3.10.4"

[[packages]]
name = "torch"
version = "2.1.0"
wheels = [{ url = "https://example.org/torch-2.1.0-py3-none-any.whl", hashes = { sha256 = "00" } }]

[[packages]]
name = "numpy"
version = "1.26.4"
marker = "python_version < '3.11'"
wheels = [{ url = "https://example.org/numpy-1.26.4-py3-none-any.whl", hashes = { sha256 = "00" } }]

[[packages]]
name = "numpy"
version = "2.1.0"
marker = "python_version >= '3.11'"
wheels = [{ url = "https://example.org/numpy-2.1.0-py3-none-any.whl", hashes = { sha256 = "00" } }]
"""


OLDEST = "is the oldest that its requires-python admits; --python chooses another one"


@pytest.mark.parametrize("default", [None, "3.9"])
def test_a_pylock_is_read_for_the_oldest_python_it_admits_or_the_one_that_is_asked_about(tmp_path, default):
    path = written(tmp_path, "pylock.cpu.toml", PYLOCK)
    own, other = read(path, None, default), read(path, "3.12", None)
    assert (own.python, own.exact) == ("3.10", {"torch": "2.1.0", "numpy": "1.26.4"})
    assert own.ignored == (f"{path}: Python 3.10 {OLDEST}",)
    assert (other.python, other.exact["numpy"], other.ignored) == ("3.12", "2.1.0", ())


@pytest.mark.parametrize("name", ["pylock.toml", "uv.lock", "pyproject.toml"])
def test_the_python_of_the_folder_then_that_of_the_matrix_goes_before_the_oldest(tmp_path, name):
    project = '[project]\nname = "ours"\nrequires-python = ">=3.11"\ndependencies = ["torch==2.1.0"]\n'
    path = written(tmp_path, name, {"pylock.toml": PYLOCK, "uv.lock": UV_LOCK, "pyproject.toml": project}[name])

    def pythons(default: str | None) -> tuple[str | None, bool]:
        found = read(path, None, default)
        return found.python, any(text.endswith(OLDEST) for text in found.ignored)

    oldest = "3.10" if name == "pylock.toml" else "3.11"
    assert [pythons(default) for default in ("3.12", "3.9", None)] == [("3.12", False), (oldest, True), (oldest, True)]
    for text, python in {"3.13\n": "3.13", "3.13.1 # x": "3.13.1", "3.9\n": "3.12", "pypy@3.12": "3.12"}.items():
        written(tmp_path, ".python-version", text)
        assert pythons("3.12") == (python, False)


def test_a_pylock_that_does_not_hold_for_a_python_says_so(tmp_path):
    path = written(tmp_path, "pylock.toml", PYLOCK)
    with pytest.raises(VersionsError, match="does not satisfy the Python version"):
        read(path, "3.9", None)


UV_LOCK = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "ours"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "torch" },
    { name = "numpy", version = "1.26.4", marker = "python_full_version < '3.12'" },
    { name = "numpy", version = "2.1.0", marker = "python_full_version >= '3.12'" },
    { name = "winthing", marker = "sys_platform == 'win32'" },
    { name = "theirs" },
]

[package.optional-dependencies]
cpu = [{ name = "winthing" }]

[[package]]
name = "winthing"
version = "1.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "theirs"
version = "1.0"
source = { git = "https://example.org/theirs.git" }
dependencies = [{ name = "inner" }]

[[package]]
name = "inner"
version = "3.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "torch"
version = "2.1.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://example.org/simple" }
resolution-markers = ["python_full_version < '3.12'"]

[[package]]
name = "numpy"
version = "2.1.0"
source = { registry = "https://example.org/simple" }
resolution-markers = ["python_full_version >= '3.12'"]
"""


def test_a_uv_lock_without_the_project_itself_and_by_its_markers(tmp_path):
    path = written(tmp_path, "uv.lock", UV_LOCK)
    assert read(path, None, None) == Versions(
        source=str(path),
        python="3.11",
        exact={"torch": "2.1.0", "numpy": "1.26.4", "inner": "3.0"},
        is_installed=True,
        ignored=(
            "the extra cpu of ours: the set is what `uv sync` installs, the dependencies",
            f"{path}: Python 3.11 {OLDEST}",
        ),
        missing=("theirs: it comes from a URL or a folder, and no index has it",),
    )
    assert read(path, "3.12", None).exact["numpy"] == "2.1.0"


def test_a_uv_lock_without_a_project_is_all_that_is_in_it(tmp_path):
    """Somebody has cut it."""
    path = written(tmp_path, "uv.lock", UV_LOCK.partition('[[package]]\nname = "torch"')[0].partition("[[")[0])
    path.write_text(path.read_text() + UV_LOCK[UV_LOCK.index('[[package]]\nname = "torch"') :])
    assert read(path, None, None).exact == {"torch": "2.1.0", "numpy": "1.26.4"}


@pytest.mark.parametrize("text", ["version = 1\n", "not toml", "requires-python = '>=3.11'\npackage = [1]\n"])
def test_a_file_that_only_has_the_name_of_a_lock(tmp_path, text):
    for name in ("uv.lock", "pylock.toml"):
        with pytest.raises(VersionsError, match=name):
            read(written(tmp_path, name, text), None, None)


def test_an_environment_by_what_is_installed_in_it(tmp_path):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "pyvenv.cfg").write_text(f"version_info = {version}.1\n")
    for name, number in {"torch": "2.1.0+cpu", "Some_Thing": "1.0"}.items():
        info = tmp_path / "lib" / f"python{version}" / "site-packages" / f"{name}-{number}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    found = read(tmp_path, None, None)
    assert (found.python, found.exact) == (version, {"torch": "2.1.0+cpu", "some-thing": "1.0"})
    assert found.missing == ()
    for value in ("true", "True"):
        (tmp_path / "pyvenv.cfg").write_text(f"include-system-site-packages = {value}\nversion_info = {version}.1\n")
        (missing,) = read(tmp_path, None, None).missing
        assert missing.startswith(f"{tmp_path}: it also sees the packages of the system")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("torch-2.1.0.dist-info/METADATA", "torch-2.0.0.dist-info/METADATA"),
        ("torch-2.1.0.dist-info/METADATA", "Torch-2.0.0.egg-info/PKG-INFO"),
        ("torch-2.1.0+cpu.dist-info/METADATA", "torch-2.0.0.egg-info"),
    ],
)
def test_an_environment_that_holds_two_versions_of_a_distribution(tmp_path, first, second):
    """Nobody can say which of the two is imported."""
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    (tmp_path / "pyvenv.cfg").write_text("version = 3.11.1\n")
    for name, version in ((first, "2.1.0"), (second, "2.0.0")):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    with pytest.raises(VersionsError, match=r"several versions of torch, 2\.[01]\.0 and 2\.[01]\.0; an interrupted inst"):
        read(tmp_path, None, None)
    # Twice the same version is none too many.
    path.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.1\n")
    assert set(read(tmp_path, None, None).exact) == {"torch"}


@pytest.mark.parametrize("name", ["pyvenv.cfg", "METADATA"])
def test_an_environment_with_a_fifo_in_it(tmp_path, name):
    info = tmp_path / "lib" / "python3.11" / "site-packages" / "torch-2.1.0.dist-info"
    info.mkdir(parents=True)
    if name == "METADATA":
        (tmp_path / "pyvenv.cfg").write_text("version = 3.11.1\n")
    os.mkfifo((info if name == "METADATA" else tmp_path) / name)
    with pytest.raises(VersionsError, match=r"no pyvenv\.cfg that names its Python|is a FIFO, not a regular file"):
        read(tmp_path, None, None)


def test_an_environment_whose_settings_are_no_utf_8(tmp_path):
    (tmp_path / "pyvenv.cfg").write_bytes(b"prompt = \xff\n")
    with pytest.raises(VersionsError, match=r"no pyvenv\.cfg that names its Python"):
        read(tmp_path, None, None)


def test_a_file_that_is_none(tmp_path):
    os.mkfifo(tmp_path / "r.txt")
    with pytest.raises(VersionsError, match=r"r\.txt cannot be read: it is a FIFO"):
        read(tmp_path / "r.txt", None, None)
    (tmp_path / "s.txt").symlink_to("s.txt")
    with pytest.raises(VersionsError, match=r"s\.txt cannot be read: it is a symbolic link"):
        read(tmp_path / "s.txt", None, None)


def test_what_is_no_set_at_all(tmp_path):
    with pytest.raises(VersionsError, match="not a virtual environment"):
        read(tmp_path, None, None)
    with pytest.raises(VersionsError, match="cannot be read"):
        read(tmp_path / "absent.txt", None, None)
    with pytest.raises(VersionsError, match="expected a requirements file"):
        read(written(tmp_path, "project.toml", ""), None, None)
