"""A set is run as it is installed: all that stands in it, in its builds and with its extras, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import packages
import pytest
from project import PYTHON, Project

pytestmark = pytest.mark.usefixtures("installed_once")

FOUR = {"torch": "2.1.0", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3"}
PINS = "".join(f"{name}=={version}\n" for name, version in FOUR.items())
REFUSES_PLUGIN = """
    import importlib.util
    if importlib.util.find_spec("plugin"):
        raise ImportError("plugin is too old")
"""
NEEDS_NUMPY_2 = """
    import numpy
    if not numpy.__version__.startswith("2"):
        raise ImportError("numpy 2 is needed")
"""
NO_CUDA = "raise ImportError('libcudart.so.11.0: cannot open shared object file')"


def environment(folder: Path, versions: Mapping[str, str], direct: Mapping[str, object] | None = None) -> Path:
    """A virtual environment as far as it is read; `direct` is the origin of what no index has."""
    site = folder / "lib" / f"python{PYTHON}" / "site-packages"
    site.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"version_info = {PYTHON}.1\n")
    for name, version in versions.items():
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if name in (direct or {}):
            (info / "direct_url.json").write_text(json.dumps((direct or {})[name]))
    return folder


def checked(project: Project, given: str | Path, *arguments: str, code: int):
    path = given
    if isinstance(given, str):
        path = project.root / "requirements.txt"
        path.write_text(given)
    answer = project.main("check", "--from", str(path), "--python", PYTHON, "--quiet", "--format", "json", *arguments)
    assert answer.code == code, answer.err + answer.out
    return json.loads(answer.out)


@pytest.mark.parametrize("kind", ["file", "environment", "target"])
def test_what_nothing_requires_is_installed_too(project, kind):
    project.publish(packages.package("plugin", "1.0"), packages.transformers("4.47.0", on_import=REFUSES_PLUGIN))
    target = ["--to", "transformers==4.47.0"]
    given: str | Path = PINS
    if kind == "file":
        given += "plugin==1.0\n"
    elif kind == "environment":
        given = environment(project.root / "venv", {**FOUR, "plugin": "1.0", "pip": "24.0"})
    else:
        new = project.root / "new.txt"
        new.write_text(PINS.replace("4.46.3", "4.47.0") + "plugin\n")
        target = ["--to", str(new)]
    found = checked(project, given, *target, code=1)
    (upgrade,) = found["upgrades"]
    assert (found["answer"], upgrade["lost"][0]["message"]) == ("BREAKS", "import transformers: ImportError: plugin is too old")
    assert upgrade["target"]["resolved"]["plugin"] == "1.0"
    assert ("plugin" in found["current"]["resolved"]) is (kind != "target")


def test_the_build_that_the_set_names_is_the_one_that_runs(project):
    """The index has a newer build of the same version, which breaks."""
    for path in project.index.glob("torch-*"):
        path.unlink()
    for version in ("2.1.0", "2.2.0"):
        project.publish(packages.torch(f"{version}+cpu"), packages.torch(f"{version}+cu118", on_import=NO_CUDA))
    pins = PINS.replace("2.1.0", "2.1.0+cpu")
    for target in ("torch==2.2.0+cpu", "torch"):
        found = checked(project, pins, "--to", target, code=0)
        assert found["current"]["resolved"]["torch"] == "2.1.0+cpu"
        assert found["upgrades"][0]["target"]["resolved"]["torch"] == "2.2.0+cpu"
    assert checked(project, PINS, code=1)["current"]["resolved"]["torch"] == "2.1.0+cu118"
    other = project.root / "other.txt"
    other.write_text(pins.replace("+cpu", "+cu118"))
    (upgrade,) = checked(project, pins, "--to", str(other), code=1)["upgrades"]
    assert upgrade["changes"] == [{"name": "torch", "old": "2.1.0+cpu", "new": "2.1.0+cu118"}]


def test_a_build_that_no_index_has_is_not_proven_safe(project):
    found = checked(project, PINS.replace("2.1.0", "2.1.0+cu121"), code=3)
    note = "torch 2.1.0+cu121: it is not published where uv looked, and 2.1.0 of another build was run in its place"
    assert (found["answer"], found["current"]["status"], found["notes"]) == ("UNKNOWN", "works", [note])


def test_an_extra_brings_in_what_it_requires(project):
    needs = ("tokenizers", "plugin ; extra == 'x'")
    project.publish(
        packages.package("plugin", "1.0", requires=("numpy<2",)),
        dataclasses.replace(packages.transformers("4.46.4"), requires=needs),
        packages.torch("2.2.0", on_import=NEEDS_NUMPY_2),
    )
    pins = PINS.replace("4.46.3", "4.46.4")
    checked(project, pins, "--to", "torch==2.2.0", code=0)
    found = checked(project, pins.replace("transformers", "transformers[x]"), "--to", "torch==2.2.0", code=1)
    assert found["upgrades"][0]["target"]["resolved"]["numpy"] == "1.26.4"
    assert found["upgrades"][0]["lost"][0]["message"] == "import torch: ImportError: numpy 2 is needed"


def test_that_parts_break_together_only_is_said_where_they_do(project):
    """An extra is no part: it is what differs besides."""
    both = "from importlib.metadata import version\nif version('onnx') == '1.17.0': raise ImportError('not with this onnx')"
    needs = ("tokenizers", "plugin ; extra == 'x'")
    project.publish(
        packages.package("plugin", "1.0"),
        packages.onnx("1.17.0"),
        dataclasses.replace(packages.transformers("4.47.0", on_import=REFUSES_PLUGIN), requires=needs),
        packages.transformers("4.48.0", on_import=both),
    )
    new = project.root / "new.txt"
    cases = {
        "transformers[x]==4.47.0": (False, "no part breaks alone: nor do all together, but what else differs (extras, bounds)"),
        "transformers==4.48.0": (True, "no part breaks alone: only together they do"),
    }
    for pin, (together, sentence) in cases.items():
        new.write_text(PINS.replace("transformers==4.46.3", pin).replace("1.16.2", "1.17.0"))
        (upgrade,) = checked(project, PINS, "--to", str(new), code=1)["upgrades"]
        assert [step["safe"] for step in upgrade["steps"]] == [True, True]
        assert upgrade["only_together"] is together
        said = project.main("check", "--from", str(project.root / "requirements.txt"), "--to", str(new), "--quiet").out
        assert sentence in said


def test_what_an_exporter_of_the_matrix_needs_is_not_added(project):
    """onnxscript would move numpy; and the exporter that needs it fails without it."""
    for path in project.index.glob("onnxscript-*"):
        path.unlink()
    needs = "import importlib.util\nif variant['exporter'] == 'dynamo' and not importlib.util.find_spec('onnxscript'):\n"
    needs += "    raise ModuleNotFoundError(\"No module named 'onnxscript'\", name='onnxscript')"
    project.publish(packages.package("onnxscript", "0.1.0", requires=("numpy<2",)), packages.torch("2.6.0", on_export=needs))
    project.configure(variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]})
    pins = PINS.replace("2.1.0", "2.6.0")
    resolved = checked(project, pins, "--exporter", "torchscript", code=0)["current"]["resolved"]
    assert (resolved["numpy"], "onnxscript" in resolved) == ("2.1.0", False)
    (upgrade,) = checked(project, pins, "--exporter", "dynamo", code=1)["upgrades"]
    assert (upgrade["lost"][0]["stage"], upgrade["mend"]["change"]) == ("export", "onnxscript")


def test_a_set_is_one_environment(project):
    project.publish(
        packages.torch("2.2.0", requires=("numpy<2",)), packages.onnxruntime("1.18.0", requires=("flatbuffers", "numpy>=2"))
    )
    project.configure(setup=["handoff", "together"])
    pins = PINS.replace("2.1.0", "2.2.0")
    found = checked(project, pins, "--to", "onnxruntime==1.18.0", code=1)
    (upgrade,) = found["upgrades"]
    assert (found["current"]["environment"], upgrade["lost"][0]["stage"]) == ("together", "resolve")
    path = project.root / "requirements.txt"
    assert "onnxruntime 1.16.3, together: works." in project.main("check", "--from", str(path), "--quiet").out
    project.configure(setup="handoff")
    assert checked(project, pins, "--to", "onnxruntime==1.18.0", code=0)["current"]["environment"] == "handoff"


def test_a_project_is_its_dependencies_without_extras_and_groups(project):
    project.publish(packages.torch("2.2.0"))
    path = project.root / "pyproject.toml"
    path.write_text(
        textwrap.dedent(f"""
        [project]
        name = "ours"
        version = "1"
        dependencies = {json.dumps(["torch>=2.1", *PINS.split()[1:]])}
        [project.optional-dependencies]
        old = ["torch==2.1.0"]
        new = ["torch==2.2.0"]
        [dependency-groups]
        dev = ["plugin==1.0"]
        """)
    )
    found = checked(project, path, code=0)
    assert found["current"]["pins"]["torch"] == "2.2.0"
    left_out = "the extra old, the extra new, the group dev: the set is what `pip install .` installs, the dependencies"
    assert left_out in found["notes"]


def test_what_cannot_be_installed_is_named_and_not_proven_safe(project):
    """A project in editable mode is the user's own; a name that an index may have belongs to somebody else there."""
    project.publish(packages.package("theirs", "1.0", on_import="raise ImportError"))
    origins = {"ours": {"dir_info": {"editable": True}, "url": "file:///x"}, "theirs": {"url": "file:///y", "dir_info": {}}}
    here = {**FOUR, "ours": "1.0"}
    found = checked(project, environment(project.root / "own", here, origins), code=0)
    assert found["notes"] == ["ours: it is a project in editable mode"]
    found = checked(project, environment(project.root / "both", {**here, "theirs": "1.0"}, origins), code=3)
    assert "theirs" not in found["current"]["resolved"]
    assert found["notes"][1] == "theirs: it comes from a URL or a folder, and no index has it"
    found = checked(project, PINS + "plugin==1.0\n", code=3)
    note = "plugin 1.0: it is not published where uv looked, and was not installed"
    assert (found["answer"], found["notes"]) == ("UNKNOWN", [note])
    assert found["upgrades"][0]["why"] == f"the rest of the set works, and this was not run with it: {note}"


def test_a_version_that_is_given_stands_in_place_of_an_entry_from_a_url(project):
    pins = PINS.replace("torch==2.1.0", "torch @ https://example.org/torch-2.1.0-py3-none-any.whl")
    found = checked(project, pins, "--with", "torch==2.1.0", code=0)
    assert (found["answer"], found["notes"]) == ("SAFE", [])
    other = f"{pins}plugin @ https://example.org/plugin-1.0-py3-none-any.whl\n"
    assert checked(project, other, "--with", "torch==2.1.0", code=3)["notes"] == [
        "plugin: it comes from a URL or a folder, and no index has it"
    ]


@pytest.mark.parametrize("option", ["-r", "-c"])
def test_a_set_of_which_a_file_was_not_read_is_not_proven_safe(project, option):
    found = checked(project, f"{PINS}{option} https://example.org/more.txt\n", code=3)
    assert (found["answer"], found["current"]["status"]) == ("UNKNOWN", "works")
    assert found["notes"] == [f"{option} https://example.org/more.txt: it is at a URL, and only files are read"]


def test_a_failure_of_what_was_not_installed_whole_proves_nothing(project):
    """It fails for want of what no index has."""
    broken = packages.raises("ImportError('plugin is missing')")
    project.publish(packages.transformers("4.47.0", on_import=broken), packages.transformers("4.48.0", on_import=broken))
    note = "plugin 1.0: it is not published where uv looked, and was not installed"
    fails = PINS.replace("4.46.3", "4.47.0") + "plugin==1.0\n"
    for given, target in (
        (PINS + "plugin==1.0\n", ["--to", "transformers==4.47.0"]),
        (fails, []),
        (fails, ["--to", "transformers"]),
    ):
        found = checked(project, given, *target, code=3)
        (upgrade,) = found["upgrades"]
        assert (found["answer"], upgrade["mend"], upgrade["steps"]) == ("UNKNOWN", None, [])
        assert upgrade["why"] == f"the rest of the set fails, and this was not run with it: {note}"
        assert upgrade["lost"][0]["stage"] == "import"
    path = project.root / "requirements.txt"
    answer = project.main("pin", "--from", str(path), "--python", PYTHON, "--quiet")
    assert answer.code == 3, answer.err
    assert "does not work without what was not installed, and is not pinned" in answer.out
    assert note in answer.out


UV_LOCK = """\
version = 1
requires-python = ">=3.9"

[manifest]
overrides = [{ name = "numpy", specifier = "==2.1.0" }]

[[package]]
name = "ours"
version = "1"
source = { virtual = "." }
"""


def locked(project: Project, versions: Mapping[str, str]) -> Path:
    """A uv.lock of `versions`, on all of which the project depends."""
    source = 'source = { registry = "https://example.org/simple" }'
    needs = ", ".join(f'{{ name = "{name}" }}' for name in versions)
    tables = [f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}\n' for name, version in versions.items()]
    path = project.root / "uv.lock"
    path.write_text("\n".join([f"{UV_LOCK}dependencies = [{needs}]\n", *tables]))
    return path


@pytest.mark.parametrize("kind", ["lock", "environment"])
def test_what_stands_beside_each_other_is_run_whatever_it_requires(project, kind):
    """numpy 2 was put beside a torch that refuses it by its metadata alone; the next torch cannot do with it."""
    needs = ("numpy<2", "sympy")
    breaks = "import numpy\nif numpy.__version__.startswith('2'): raise RuntimeError('built for numpy 1')"
    project.publish(
        packages.torch("2.2.0", requires=needs),
        packages.torch("2.3.0", requires=needs, on_export=breaks),
        packages.package("tokenizers", "0.21.0"),
        packages.transformers("4.47.0", requires=("tokenizers>=0.21",)),
    )
    versions = {**FOUR, "torch": "2.2.0", "numpy": "2.1.0", "tokenizers": "0.20.3"}
    path = locked(project, versions) if kind == "lock" else environment(project.root / "venv", versions)
    found = checked(project, path, code=0)
    assert (found["current"]["status"], found["current"]["resolved"]["numpy"]) == ("works", "2.1.0")
    (upgrade,) = checked(project, path, "--to", "torch==2.3.0", code=1)["upgrades"]
    assert (upgrade["answer"], upgrade["target"]["resolved"]["numpy"]) == ("BREAKS", "2.1.0")
    assert upgrade["lost"][0]["message"] == "built for numpy 1"
    # What goes together is moved as ever.
    (upgrade,) = checked(project, path, "--to", "transformers==4.47.0", code=0)["upgrades"]
    assert upgrade["forced"] == [{"name": "tokenizers", "old": "0.20.3", "new": "0.21.0"}]
    assert upgrade["target"]["resolved"]["numpy"] == "2.1.0"


def test_axes_that_do_not_go_together_are_run_as_they_stand(project):
    project.publish(packages.transformers("4.47.0", requires=("tokenizers", "torch>=2.2")))
    path = environment(project.root / "venv", {**FOUR, "transformers": "4.47.0", "tokenizers": "0.20.3"})
    assert checked(project, path, code=0)["current"]["pins"] == {**FOUR, "transformers": "4.47.0"}
    assert checked(project, PINS.replace("4.46.3", "4.47.0"), code=1)["current"]["variants"][0]["stage"] == "resolve"


def test_no_release_is_blamed_for_what_only_one_set_has(project):
    """Of the bad set plugin breaks it, and not the newer onnx."""
    project.publish(
        packages.package("plugin", "1.0"),
        packages.onnx("1.17.0"),
        packages.transformers("4.47.0", on_import=REFUSES_PLUGIN),
        packages.onnxruntime("1.17.0", on_import="raise ImportError('too new')"),
    )
    good, bad = project.root / "good.txt", project.root / "bad.txt"
    good.write_text(PINS.replace("4.46.3", "4.47.0"))
    bad.write_text(good.read_text().replace("1.16.2", "1.17.0") + "plugin==1.0\n")
    arguments = ["--good", str(good), "--bad", str(bad), "--python", PYTHON, "--quiet"]
    answer = project.main("bisect", *arguments)
    assert (answer.code, "no release breaks it, but that only one of the sets has plugin" in answer.err) == (2, True)
    # The good set fails with it, and the bad one for another reason: that may be a release.
    bad.write_text(PINS.replace("onnxruntime==1.16.3", "onnxruntime==1.17.0") + "plugin==1.0\n")
    answer = project.main("bisect", *arguments)
    assert answer.code == 3, answer.err
    assert answer.out.startswith("UNKNOWN: only one of the sets has plugin, which breaks the good set in another way: ")
    # Where it does no harm, it is told, and the release is found.
    good.write_text(PINS)
    bad.write_text(PINS.replace("1.16.2", "1.17.0").replace("onnxruntime==1.16.3", "onnxruntime==1.17.0") + "plugin==1.0\n")
    answer = project.main("bisect", *arguments)
    assert answer.code == 0, answer.err
    assert answer.out.startswith("onnxruntime 1.17.0 is the first that breaks")
    assert "only one of the sets has plugin, and that does not break it" in answer.out


def test_a_release_that_breaks_without_what_was_not_installed_is_not_proven(project):
    """It fails for want of what no index has."""
    project.publish(packages.transformers("4.47.0", on_import=packages.raises("ImportError('plugin is missing')")))
    good, bad = project.root / "good.txt", project.root / "bad.txt"
    good.write_text(PINS + "plugin==1.0\n")
    bad.write_text(good.read_text().replace("4.46.3", "4.47.0"))
    arguments = ["--good", str(good), "--bad", str(bad), "--python", PYTHON, "--quiet"]
    answer = project.main("bisect", *arguments)
    assert answer.code == 3, answer.err
    words = "not proven, since not all of the sets was installed: transformers 4.47.0 is the first that breaks"
    assert answer.out.startswith(words)
    note = "plugin 1.0: it is not published where uv looked, and was not installed"
    assert f"not run with these sets: {note}" in answer.out
    assert json.loads(project.main("bisect", *arguments, "--format", "json").out)["missing"] == [note]


def test_no_release_is_blamed_for_what_an_environment_holds_against_its_packages(project):
    project.publish(
        packages.transformers("4.47.0"),
        packages.transformers(
            "4.48.0",
            requires=("tokenizers>=0.21",),
            on_import="import tokenizers\nif tokenizers.__version__ < '0.21': raise ImportError('old')",
        ),
        packages.package("tokenizers", "0.21.0"),
    )
    ends = {
        name: environment(project.root / name, {**FOUR, "transformers": version, "tokenizers": "0.20.3"})
        for name, version in (("good", "4.46.3"), ("bad", "4.48.0"))
    }
    arguments = ["bisect", "--quiet", "--bad", str(ends["bad"]), "--good", str(ends["good"])]
    answer = project.main(*arguments)
    assert answer.code == 2, answer.out
    assert "works, but for tokenizers 0.20.3 instead of 0.21.0" in " ".join(answer.err.split())


def test_what_cannot_be_installed_whole_is_not_pinned(project):
    path = project.root / "requirements.txt"
    path.write_text(PINS + "plugin==1.0\n")
    answer = project.main("pin", "--from", str(path), "--python", PYTHON, "--quiet")
    assert (answer.code, "plugin 1.0: it is not published where uv looked" in answer.out) == (3, True)
    assert not (project.reports / "pins").exists()


def test_a_pin_of_what_contradicts_its_packages_says_how_to_install_it(project):
    project.publish(packages.torch("2.2.0", requires=("numpy<2",)))
    path = environment(project.root / "venv", {**FOUR, "torch": "2.2.0", "numpy": "2.1.0"})
    answer = project.main("pin", "--from", str(path), "--quiet")
    assert answer.code == 0, answer.err
    (pinned,) = (project.reports / "pins").glob("*/requirements.txt")
    text = pinned.read_text()
    assert "# to be installed with --no-deps: other packages refuse numpy==2.1.0 by their metadata" in text
    assert "\nnumpy==2.1.0" in text
