"""`check`: every verdict, its exit code, and what is said with it."""

from __future__ import annotations

import json
from pathlib import Path

import packages
import pytest
from project import PYTHON, Project

pytestmark = pytest.mark.usefixtures("installed_once")

NEEDS_TORCH = """
    import importlib.metadata
    if importlib.metadata.version("torch") < "2.2":
        raise ImportError("a first line\\nneeds torch 2.2")
"""
NEEDS_NUMPY_1 = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""
FOUR = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Project:
    """transformers breaks from 4.48 on below torch 2.2; onnxruntime 1.18 wants numpy 1."""
    made = Project.working(tmp_path_factory.mktemp("check"))
    made.publish(
        packages.transformers("4.47.0"),
        packages.transformers("4.48.0", on_import=NEEDS_TORCH),
        packages.transformers("4.49.0", on_import=NEEDS_TORCH),
        packages.transformers("5.0.0", on_import=packages.KILLED),
        packages.torch("2.2.0"),
        packages.torch("2.3.0"),
        packages.onnxruntime("1.17.0"),
        packages.onnxruntime("1.18.0", on_import=NEEDS_NUMPY_1),
    )
    return made


def asked(project: Project, text: str, *arguments: str, code: int, form: str = "json"):
    path = project.root / "requirements.txt"
    path.write_text(text)
    answer = project.main("check", "--from", str(path), "--quiet", "--format", form, *arguments)
    assert answer.code == code, answer.err + answer.out
    return json.loads(answer.out) if form == "json" else answer


def upgrade(found) -> dict:
    (one,) = found["upgrades"]
    return one


@pytest.mark.parametrize("extra", ["numpy==2.1.0\n", "torch>=2.2\n"])
def test_a_pin_and_a_bound_that_excludes_it_have_no_solution(shared, extra):
    (shared.root / "limits.txt").write_text("numpy<2\n")
    text = FOUR + extra + "-c limits.txt\n"
    alone = asked(shared, text, "--python", PYTHON, code=1)
    found = asked(shared, text, "--python", PYTHON, "--to", "transformers==4.47.0", code=1)
    assert (alone["answer"], found["answer"]) == ("BREAKS", "FAILS NOW ALREADY")
    assert {variant["error_type"] for variant in found["current"]["variants"]} == {"unsatisfiable"}


def test_every_bound_of_an_open_distribution_counts(shared):
    text = FOUR.replace("torch==2.1.0", "torch<2.3\ntorch>=2.1") + "numpy<2\nnumpy>=1\n"
    found = asked(shared, text, "--python", PYTHON, code=0)
    assert found["current"]["pins"]["torch"] == "2.2.0"
    assert found["current"]["resolved"]["numpy"] == "1.26.4"


def test_a_safe_upgrade(shared):
    found = asked(shared, FOUR, "--to", "transformers==4.47.0", code=0)
    assert found["answer"] == "SAFE"
    assert upgrade(found)["changes"] == [{"name": "transformers", "old": "4.46.3", "new": "4.47.0"}]
    assert found["current"]["status"] == upgrade(found)["target"]["status"] == "works"


def test_progress_counts_no_cells_of_a_matrix(shared):
    path = shared.root / "requirements.txt"
    path.write_text(FOUR)
    answer = shared.main("check", "--from", str(path), "--to", "transformers<5")
    lines = [line for line in answer.err.splitlines() if "-t210-" in line]
    assert any("-t210-tf4490-" in line and "  fails ✗  import: " in line for line in lines), answer.err
    assert not [line for line in lines if line.startswith("[")]


def test_a_breaking_upgrade_with_what_breaks_what_mends_it_and_how_far_one_gets(shared):
    found = asked(shared, FOUR, "--to", "transformers<5", code=1)
    one = upgrade(found)
    assert found["answer"] == one["answer"] == "BREAKS"
    assert one["changes"][0]["new"] == "4.49.0"
    (lost,) = one["lost"]
    assert (lost["stage"], lost["message"]) == ("import", "needs torch 2.2")
    assert (shared.store / lost["log"]).is_file()
    assert one["mend"]["change"] == "torch 2.2.0 as well"  # and not the newest torch, which works too
    assert one["mend"]["cell"]["status"] == "works"
    assert one["mend"]["cell"]["pins"]["transformers"] == "4.49.0"
    assert one["nearest"]["pins"]["transformers"] == "4.47.0"
    assert one["nearest"]["status"] == "works"


def test_of_several_packages_the_one_that_breaks_is_told(shared):
    one = upgrade(asked(shared, FOUR, "--to", "transformers==4.48.0", "--to", "onnxruntime==1.17.0", code=1))
    steps = {step["changes"][0]["name"]: step["safe"] for step in one["steps"]}
    assert steps == {"transformers": False, "onnxruntime": True}
    assert one["nearest"]["pins"] | {"torch": "2.1.0"} == {
        "torch": "2.1.0",
        "transformers": "4.47.0",
        "onnx": "1.16.2",
        "onnxruntime": "1.17.0",
    }


def test_a_secondary_pin_holds_at_both_ends(shared):
    held = asked(shared, FOUR + "numpy==1.26.4\n", "--to", "onnxruntime==1.18.0", code=0)
    assert upgrade(held)["target"]["resolved"]["numpy"] == "1.26.4"
    free = asked(shared, FOUR, "--to", "onnxruntime==1.18.0", code=1)
    assert upgrade(free)["lost"][0]["message"].endswith("ImportError: numpy.core.multiarray failed to import")
    assert upgrade(free)["nearest"]["pins"]["onnxruntime"] == "1.17.0"


def test_a_pin_that_the_failure_names_may_be_an_older_one(shared):
    one = upgrade(asked(shared, FOUR + "numpy==2.1.0\n", "--to", "onnxruntime==1.18.0", code=1))
    assert one["mend"]["change"] == "numpy 1.26.4 as well (the set says numpy==2.1.0)"


def test_what_the_set_leaves_to_the_resolver_has_a_version_too(shared):
    found = asked(shared, FOUR, "--to", "numpy<2", code=0)
    assert upgrade(found)["changes"] == [{"name": "numpy", "old": "2.1.0", "new": "1.26.4"}]
    assert upgrade(asked(shared, FOUR, "--to", "numpy==2.1.0", code=0))["changes"] == []


def test_a_python_among_the_requirements_is_no_distribution(shared):
    assert asked(shared, FOUR + "python==3.12\n", code=0)["notes"] == ["python==3.12: Python is chosen with --python"]


def test_a_secondary_pin_that_the_target_has_no_room_for_is_moved_and_told(project):
    project.publish(packages.package("tokenizers", "0.21.0"), packages.transformers("4.47.0", requires=("tokenizers>=0.21",)))
    found = asked(project, FOUR + "tokenizers==0.20.3\nnumpy==1.26.4\n", "--to", "transformers==4.47.0", code=0)
    assert upgrade(found)["forced"] == [{"name": "tokenizers", "old": "0.20.3", "new": "0.21.0"}]
    assert upgrade(found)["target"]["resolved"]["numpy"] == "1.26.4"


def test_what_the_resolver_moves_with_a_part_a_remedy_and_the_nearest_target_is_told(project):
    project.publish(
        packages.package("tokenizers", "0.21.0"),
        packages.transformers("4.47.0", requires=("tokenizers>=0.21",)),
        packages.transformers("4.48.0", requires=("tokenizers>=0.21",), on_import=NEEDS_TORCH),
        packages.torch("2.2.0", requires=("sympy", "numpy<2")),
        packages.onnx("1.17.0"),
    )
    text, targets = FOUR + "tokenizers==0.20.3\n", ("--to", "transformers==4.48.0", "--to", "onnx==1.17.0")
    one = upgrade(asked(project, text, *targets, code=1))
    tokenizers = {"name": "tokenizers", "old": "0.20.3", "new": "0.21.0"}
    assert [(step["changes"][0]["name"], step["safe"], step["along"]) for step in one["steps"]] == [
        ("transformers", False, [tokenizers]),
        ("onnx", True, []),
    ]
    assert one["mend"]["change"] == "torch 2.2.0 as well"
    assert one["mend"]["along"] == [{"name": "numpy", "old": "2.1.0", "new": "1.26.4"}]
    assert (one["nearest"]["pins"]["transformers"], one["nearest_along"]) == ("4.47.0", [tokenizers])
    said = asked(project, text, *targets, code=1, form="text").out
    moved = "(the resolver also moves tokenizers 0.20.3 → 0.21.0)"
    assert f"alone: transformers 4.46.3 → 4.48.0 {moved} breaks" in said
    assert "smallest change that makes it work: torch 2.2.0 as well (the resolver also moves numpy 2.1.0 → 1.26.4)" in said
    assert f"nearest target that works: transformers 4.47.0, onnx 1.17.0 {moved}" in said


def test_what_was_pinned_although_it_does_not_go_together_is_asked_as_it_is(project):
    project.publish(packages.transformers("4.47.0", requires=("tokenizers>=0.21",)), packages.package("tokenizers", "0.21.0"))
    found = asked(project, FOUR.replace("4.46.3", "4.47.0") + "tokenizers==0.20.3\n", code=1)
    assert upgrade(found)["lost"][0]["stage"] == "resolve"


def test_the_target_may_be_a_file(shared):
    new = shared.root / "new.txt"
    new.write_text(FOUR.replace("4.46.3", "4.47.0") + "numpy==2.1.0\n")
    one = upgrade(asked(shared, FOUR + "numpy==1.26.4\n", "--to", str(new), code=0))
    assert {change["name"]: change["new"] for change in one["changes"]} == {"transformers": "4.47.0", "numpy": "2.1.0"}


def test_what_neither_set_installs_is_not_safe(project):
    project.publish(
        packages.package("pandas", "1.0"), packages.package("pandas", "2.0", on_import=packages.raises("OSError()"))
    )
    path = project.root / "requirements.txt"
    path.write_text(FOUR)
    for also in ([], ["--to", "onnx==1.16.2"]):
        answer = project.main("check", "--from", str(path), "--quiet", "--to", "pandas==2.0", *also)
        assert answer.code == 2, answer.out
        assert "nothing in these sets needs pandas" in answer.err
        assert "SAFE" not in answer.out
    project.publish(packages.onnx("1.17.0", requires=("pandas",)))
    found = asked(project, FOUR, "--to", "onnx==1.17.0", "--to", "pandas==1.0", code=0)
    assert upgrade(found)["changes"][1] == {"name": "pandas", "old": None, "new": "1.0"}


def target_file(project: Project, text: str, name: str = "new.txt") -> str:
    path = project.root / name
    path.write_text(text)
    return str(path)


def changed(found) -> dict[str, tuple[str | None, str | None]]:
    return {change["name"]: (change["old"], change["new"]) for change in upgrade(found)["changes"]}


def test_what_a_limit_changes_of_what_neither_set_installs_is_not_checked(project):
    project.publish(*(packages.package("pandas", version) for version in ("1.0", "2.0")))
    old, new = (target_file(project, f"pandas=={version}\n", f"limits{version}.txt") for version in ("1.0", "2.0"))
    target = target_file(project, f"{FOUR}-c {new}\n")
    found = asked(project, f"{FOUR}-c {old}\n", "--to", target, code=0)
    assert changed(found) == {}
    assert found["notes"] == ["pandas: its change is not checked, because nothing in these sets needs it"]


def test_what_the_file_of_the_target_leaves_open_is_open(shared):
    new = target_file(shared, FOUR.replace("1.16.3", "1.18.0"))
    found = asked(shared, FOUR + "numpy==1.26.4\n", "--to", new, code=1)
    assert changed(found) == {"onnxruntime": ("1.16.3", "1.18.0"), "numpy": ("1.26.4", "2.1.0")}
    assert upgrade(found)["target"]["resolved"]["numpy"] == "2.1.0"
    # Given by name, a requirement changes nothing else.
    asked(shared, FOUR + "numpy==1.26.4\n", "--to", "onnxruntime==1.18.0", code=0)
    # `--with` holds for what the file leaves open, and changes nothing that it says.
    held = asked(shared, FOUR, "--with", "numpy==1.26.4", "--with", "onnxruntime==1.17.0", "--to", new, code=0)
    assert changed(held) == {"onnxruntime": ("1.17.0", "1.18.0")}
    # It is there in the nearest target too.
    said = asked(shared, FOUR + "numpy==1.26.4\n", "--to", new, code=1, form="text").out
    assert "nearest target that works: onnxruntime 1.17.0, numpy 2.1.0\n" in said


def test_a_requirement_beside_a_file_changes_the_set_of_the_file(shared):
    new = target_file(shared, FOUR.replace("1.16.3", "1.17.0"))
    found = asked(shared, FOUR, "--to", new, "--to", "torch<2.3", code=0)
    assert changed(found) == {"torch": ("2.1.0", "2.2.0"), "onnxruntime": ("1.16.3", "1.17.0")}


def test_several_files_are_one_target(shared):
    new = target_file(shared, FOUR.replace("2.1.0", "2.2.0"))
    found = asked(shared, FOUR, "--to", new, "--to", target_file(shared, "numpy<2\n", "also.txt"), code=0)
    assert changed(found) == {"torch": ("2.1.0", "2.2.0"), "numpy": ("2.1.0", "1.26.4")}
    path = shared.root / "requirements.txt"
    answer = shared.main("check", "--from", str(path), "--to", new, "--to", target_file(shared, FOUR, "also.txt"), "--quiet")
    assert (answer.code, "have two versions of torch: 2.2.0 and 2.1.0" in " ".join(answer.err.split())) == (2, True)


def test_what_is_not_used_of_the_target_is_told_as_for_the_current_set(shared):
    text = FOUR.replace("torch==2.1.0", "torch>=2.2") + "python==3.12\nother @ https://example.invalid/other-1.0.zip\n"
    found = asked(shared, FOUR, "--to", target_file(shared, text), code=3)
    assert changed(found) == {"torch": ("2.1.0", "2.3.0")}
    assert found["notes"] == [
        "python==3.12: Python is chosen with --python",
        "torch>=2.2: it is 2.3.0 today",
        "other: it comes from a URL or a folder, and no index has it",
    ]


def test_the_target_has_the_python_of_the_current_set(shared):
    text = 'lock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">=3.9"\n'
    text += "".join(
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        f'sdist = {{ url = "https://example.invalid/{name}-{version}.tar.gz", hashes = {{ sha256 = "00" }} }}\n'
        for name, _, version in (line.partition("==") for line in FOUR.split())
    )
    new = target_file(shared, text, "pylock.toml")
    assert asked(shared, FOUR, "--to", new, code=0)["notes"] == []
    own = Path(target_file(shared, "3.9\n", ".python-version"))
    found = asked(shared, FOUR, "--to", new, code=0)
    assert (changed(found), found["current"]["python"], upgrade(found)["target"]["python"]) == ({}, PYTHON, PYTHON)
    note = f"{new}: its Python 3.9 is not used, both ends have {PYTHON}; --python chooses another one"
    assert found["notes"] == [note]
    assert asked(shared, FOUR, "--to", new, "--python", PYTHON, code=0)["notes"] == []
    own.unlink()


def test_a_target_that_lacks_what_every_cell_needs_is_no_set(shared):
    path = shared.root / "requirements.txt"
    path.write_text(FOUR)
    answer = shared.main("check", "--from", str(path), "--to", target_file(shared, "torch==2.2.0\n"), "--quiet")
    assert (answer.code, "transformers, onnx, onnxruntime missing" in " ".join(answer.err.split())) == (2, True)


def test_a_remedy_of_a_target_has_all_that_the_target_has(shared):
    """Also what is on no axis, whether a file or a requirement names it."""
    text = FOUR.replace("4.46.3", "4.48.0") + "numpy==2.1.0\n"
    for target in ([target_file(shared, text)], ["transformers==4.48.0", "--to", "numpy==2.1.0"]):
        found = upgrade(asked(shared, FOUR + "numpy==1.26.4\n", "--to", *target, code=1))
        assert found["mend"]["change"] == "torch 2.2.0 as well"
        assert found["mend"]["cell"]["resolved"]["numpy"] == found["nearest"]["resolved"]["numpy"] == "2.1.0"
        assert found["nearest"]["pins"]["transformers"] == "4.47.0"
        assert [(step["changes"][0]["name"], step["safe"]) for step in found["steps"]] == [
            ("transformers", False),
            ("numpy", True),
        ]


def test_a_target_without_an_axis_of_the_current_set(project):
    project.publish(packages.package("optimum_onnx", "0.0.1"), packages.torch("2.2.0"))
    project.configure({"optimum-onnx": ["0.0.1"]})
    found = asked(project, FOUR + "optimum-onnx==0.0.1\n", "--to", target_file(project, FOUR), code=0)
    assert changed(found) == {"optimum-onnx": ("0.0.1", None)}


def test_a_folder_with_the_name_of_a_distribution_is_no_set(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.publish(packages.transformers("4.47.0"))
    folder = project.root / "transformers"
    folder.mkdir()
    assert upgrade(asked(project, FOUR, "--to", "transformers", code=0))["changes"][0]["new"] == "4.47.0"
    # Written as a path it is a folder.
    path = project.root / "requirements.txt"
    answer = project.main("check", "--from", str(path), "--to", "./transformers")
    assert (answer.code, "transformers is not a virtual environment" in answer.err) == (2, True)
    (folder / "pyvenv.cfg").write_text("version = 3.11.7\n")
    answer = project.main("check", "--from", str(path), "--to", "transformers")
    assert (answer.code, "transformers has none of what is needed" in answer.err) == (2, True)
    (folder / "pyvenv.cfg").unlink()
    folder.rmdir()
    folder.write_text(FOUR.replace("4.46.3", "4.47.0"))
    assert upgrade(asked(project, FOUR, "--to", "transformers", code=0))["changes"][0]["new"] == "4.47.0"


def answers(found) -> dict[str, str]:
    return {
        " ".join(f"{change['name']} {change['new']}" for change in one["changes"]): one["answer"] for one in found["upgrades"]
    }


def test_everything_that_is_outdated_alone_and_together(project):
    project.publish(packages.transformers("4.49.0", on_import=NEEDS_TORCH), packages.torch("2.3.0"))
    found = asked(project, FOUR, "--outdated", code=1)
    assert answers(found) == {
        "torch 2.3.0": "SAFE",
        "transformers 4.49.0": "BREAKS",
        "torch 2.3.0 transformers 4.49.0": "SAFE",
    }


def test_trouble_with_one_of_several_is_not_hidden(shared):
    current = "torch==2.3.0\ntransformers==4.49.0\nonnx==1.16.2\nonnxruntime==1.17.0\nnumpy==1.26.4\n"
    found = asked(shared, current, "--outdated", code=3)
    assert answers(found) == {
        "transformers 5.0.0": "UNKNOWN",
        "onnxruntime 1.18.0": "SAFE",
        "transformers 5.0.0 onnxruntime 1.18.0": "UNKNOWN",
    }


def test_nothing_outdated_is_the_set_as_it_is(project):
    found = asked(project, FOUR, "--outdated", code=0)
    assert answers(found) == {"": "SAFE"}
    assert found["current"]["status"] == "works"


def test_trouble_is_unknown_and_not_a_fact(shared):
    found = asked(shared, FOUR, "--to", "transformers==5.0.0", code=3)
    assert found["answer"] == "UNKNOWN"
    assert upgrade(found)["why"].startswith("error at import")


@pytest.mark.parametrize("now", ["error", "flaky"])
def test_what_is_not_known_now_is_not_broken_by_the_upgrade(project, now):
    ends = {"error": packages.KILLED, "flaky": packages.in_turn(project.notes / "turns", packages.raises("RuntimeError('no')"))}
    project.publish(
        packages.torch("2.1.0", on_export=ends[now]),
        packages.torch("2.2.0", on_export=packages.raises("ValueError('of my own')")),
        packages.torch("2.3.0"),
    )
    for version, end in {"2.2.0": "fails", "2.3.0": "works"}.items():
        found = asked(project, FOUR, "--to", f"torch=={version}", code=3)
        assert (found["answer"], found["current"]["status"], upgrade(found)["target"]["status"]) == ("UNKNOWN", now, end)
        assert upgrade(found)["why"].startswith(f"the target {end}, and whether the current set works is not known: {now} at ")


def test_where_nothing_decides_nothing_is_safe(project):
    project.configure(variants={"exporters": ["torchscript"], "layouts": ["pair"], "feedbacks": ["feed-all"]})
    found = asked(project, FOUR, code=3)
    assert upgrade(found)["answer"] == "UNKNOWN"
    assert upgrade(found)["why"] == "no requested variant decides: feed-all is a diagnostic"


def test_what_ended_in_an_error_can_be_run_again(project):
    gate = project.root / "gate"
    dies = f"import os\nif not os.path.exists({str(gate)!r}): {packages.KILLED}"
    project.publish(packages.onnxruntime("1.17.0", on_run=dies))
    upgraded = ["--to", "onnxruntime==1.17.0"]
    asked(project, FOUR, *upgraded, code=3)
    gate.touch()
    asked(project, FOUR, *upgraded, code=3)
    asked(project, FOUR, *upgraded, "--retry", "error", code=0)
    before = len(project.starts("run"))
    asked(project, FOUR, *upgraded, code=0)
    assert len(project.starts("run")) == before
    asked(project, FOUR, *upgraded, "--force", code=0)
    assert len(project.starts("run")) == before + 2  # both ends


def test_an_interpreter_that_is_not_there_is_unknown(shared):
    found = asked(shared, FOUR, "--python", "3.99", code=3)
    assert "no CPython 3.99 on this machine" in upgrade(found)["why"]


def test_an_index_that_does_not_answer_is_unknown(shared):
    shared.configure(uv={"default-index": "http://127.0.0.1:9/simple", "torch-backend": "default"})
    try:
        found = asked(shared, FOUR, "--to", "transformers==4.47.0", code=3)
    finally:
        shared.configure()
    assert found["answer"] == "UNKNOWN"
    assert found["upgrades"][0]["target"] is None


def test_the_set_alone(shared):
    assert asked(shared, FOUR, code=0)["answer"] == "SAFE"
    broken = asked(shared, FOUR.replace("4.46.3", "4.48.0"), code=1)
    assert upgrade(broken)["changes"] == []
    assert upgrade(broken)["mend"]["change"] == "torch 2.2.0 as well"


def test_what_is_left_open_is_what_the_resolver_picks_today(shared):
    found = asked(shared, FOUR.replace("torch==2.1.0", "torch>=2"), code=0)
    assert found["current"]["pins"]["torch"] == "2.3.0"
    assert "torch>=2: it is 2.3.0 today" in found["notes"]


def test_an_upgrade_mends_what_fails_today(shared):
    broken = FOUR.replace("4.46.3", "4.48.0")
    found = asked(shared, broken, "--to", "torch==2.2.0", code=0)
    assert found["current"]["status"] == "fails"


FAILS_OF_DTYPES = """
    import importlib.metadata
    if importlib.metadata.version("mldtypes") < "0.5":
        raise AttributeError("module 'ml_dtypes' has no attribute 'float4_e2m1fn'")
"""


def with_dtypes(project: Project) -> str:
    """onnx 1.17 needs mldtypes 0.5 and does not say so; returns a set that pins 0.4.1, and others besides."""
    project.publish(
        *(packages.package("mldtypes", version) for version in ("0.4.1", "0.5.0", "0.5.1")),
        *(packages.package(f"other{number}", version) for number in range(5) for version in ("1.0", "2.0")),
        packages.onnx("1.16.2", requires=("mldtypes", *(f"other{number}" for number in range(5)))),
        packages.onnx("1.17.0", requires=("mldtypes", *(f"other{number}" for number in range(5))), on_import=FAILS_OF_DTYPES),
    )
    return FOUR + "mldtypes==0.4.1\nnumpy==1.26.4\n" + "".join(f"other{number}==1.0\n" for number in range(5))


def test_a_pin_besides_the_axes_is_let_go_where_that_mends_and_no_other(project):
    one = upgrade(asked(project, with_dtypes(project), "--to", "onnx==1.17.0", code=1))
    assert one["mend"]["change"] == "mldtypes 0.5.1 as well (the set says mldtypes==0.4.1)"
    proof = one["mend"]["cell"]
    assert (proof["status"], proof["pins"]["onnx"]) == ("works", "1.17.0")
    assert {name: proof["resolved"][name] for name in ("mldtypes", "numpy", "other0", "other4")} == {
        "mldtypes": "0.5.1",
        "numpy": "1.26.4",
        "other0": "1.0",
        "other4": "1.0",
    }
    assert one["nearest"] is None  # onnx 1.16.2 is what one has


def test_a_bound_is_let_go_as_a_pin_is(project):
    text = with_dtypes(project).replace("mldtypes==0.4.1", "mldtypes<0.5")
    one = upgrade(asked(project, text, "--to", "onnx==1.17.0", code=1))
    assert one["mend"]["change"] == "mldtypes 0.5.1 as well (the set says mldtypes<0.5)"


def test_two_pins_that_must_go_together_are_both_found(project):
    both = """
        import importlib.metadata as m
        if m.version("other1") < "2" or m.version("other3") < "2":
            raise ImportError("neither will do")
    """
    text = with_dtypes(project).replace("mldtypes==0.4.1", "mldtypes==0.5.0")
    project.publish(packages.onnx("1.18.0", requires=tuple(f"other{number}" for number in range(5)), on_import=both))
    one = upgrade(asked(project, text, "--to", "onnx==1.18.0", code=1))
    assert (
        one["mend"]["change"] == "other3 2.0 as well (the set says other3==1.0), other1 2.0 as well (the set says other1==1.0)"
    )


def test_one_minor_version_mends_although_the_newest_does_not(project):
    """transformers 4.47 needs onnx 1.17, and 4.48 onnx 1.19; those before and after break with it."""
    needs = """
        import importlib.metadata
        if not importlib.metadata.version("onnx").startswith("{}"):
            raise ImportError("not with this onnx")
    """
    project.publish(
        *(packages.onnx(f"1.{minor}.{patch}") for minor in range(17, 23) for patch in (0, 1)),
        packages.transformers("4.47.0", on_import=needs.format("1.17")),
        packages.transformers("4.48.0", on_import=needs.format("1.19")),
    )
    assert upgrade(asked(project, FOUR, "--to", "transformers==4.47.0", code=1))["mend"]["change"] == "onnx 1.17.1 as well"
    assert upgrade(asked(project, FOUR, "--to", "transformers==4.48.0", code=1))["mend"]["change"] == "onnx 1.19.1 as well"


def test_a_newer_release_of_the_exporter_comes_before_another_exporter(project):
    """As torch 2.9 with optimum-onnx 0.0.1: TorchScript works as well, and writes another graph."""
    odd = """
        import importlib.metadata
        if variant["exporter"] == "optimum" and importlib.metadata.version("optimum-onnx") == "0.0.1":
            raise ImportError("cannot import name 'is_odd' from 'torch'")
    """
    project.publish(*(packages.package("optimum_onnx", version) for version in ("0.0.1", "0.0.2")))
    project.publish(packages.torch("2.9.0", on_export=odd))
    project.configure(
        {"optimum-onnx": ["0.0.1"]}, variants={"exporters": ["optimum"], "opsets": {"optimum": [17]}, "layouts": ["pair"]}
    )
    found = upgrade(asked(project, f"{FOUR}optimum-onnx==0.0.1\n", "--to", "torch==2.9.0", code=1))
    assert found["mend"]["change"] == "optimum-onnx 0.0.2 as well"
    assert found["mend"]["cell"]["pins"]["torch"] == "2.9.0"


def test_what_fails_now_already_is_not_broken_by_the_upgrade(project):
    """A fault of the user's own, on every version: no upgrade is to blame, and none mends it."""
    project.publish(
        *(packages.torch(version, on_export=packages.raises("ValueError('of my own')")) for version in ("2.1.0", "2.2.0")),
        packages.torch("2.3.0", on_export=packages.raises("ValueError('another')")),
    )
    found = asked(project, FOUR, "--to", "torch==2.2.0", code=1)
    one = upgrade(found)
    assert found["answer"] == one["answer"] == "FAILS NOW ALREADY"
    assert (one["lost"][0]["stage"], one["mend"], one["nearest"]) == ("export", None, None)
    text = asked(project, FOUR, "--to", "torch==2.2.0", code=1, form="text").out.splitlines()
    assert text[:2] == ["FAILS NOW ALREADY: torch 2.1.0 → 2.2.0", "  the current set fails in the same way:"]
    annotation = asked(project, FOUR, "--to", "torch==2.2.0", code=1, form="github").out
    assert annotation.startswith("::warning title=export-matrix check%3A FAILS NOW ALREADY::")
    # Another fault is told apart.
    other = asked(project, FOUR, "--to", "torch==2.3.0", code=1)
    assert (other["answer"], upgrade(other)["otherwise"]) == ("FAILS NOW ALREADY", upgrade(other)["lost"])
    text = asked(project, FOUR, "--to", "torch==2.3.0", code=1, form="text").out.splitlines()
    assert text[1] == "  the current set fails too, in another way:"


def test_the_nearest_target_is_never_what_one_has(project):
    project.publish(packages.transformers("4.47.0", on_import=packages.raises("ImportError('always')")))
    one = upgrade(asked(project, FOUR, "--to", "transformers==4.47.0", code=1))
    assert (one["answer"], one["nearest"]) == ("BREAKS", None)
    # The rest of the upgrade is a step, even where this part of it stays.
    project.publish(packages.onnxruntime("1.17.0"))
    both = upgrade(asked(project, FOUR, "--to", "transformers==4.47.0", "--to", "onnxruntime==1.17.0", code=1))
    assert {name: both["nearest"]["pins"][name] for name in ("transformers", "onnxruntime")} == {
        "transformers": "4.46.3",
        "onnxruntime": "1.17.0",
    }


def test_what_the_resolver_moves_back_makes_no_nearest_target_of_what_one_has(project):
    late = packages.raises("ImportError('always')")
    project.publish(packages.transformers("4.47.0", on_import=late, requires=("tokenizers", "numpy<2")))
    new = target_file(project, FOUR.replace("4.46.3", "4.47.0") + "numpy\n")
    found = asked(project, FOUR + "numpy\n", "--to", new, code=1)
    assert changed(found) == {"transformers": ("4.46.3", "4.47.0"), "numpy": ("2.1.0", "1.26.4")}
    assert upgrade(found)["nearest"] is None


def test_where_all_must_work_all_that_was_lost_is_mended_at_once(project):
    project.publish(packages.torch("2.6.0", on_export="if variant['opset'] < 18: raise RuntimeError('gone')"))
    project.configure(
        variants={"exporters": ["torchscript"], "opsets": {"torchscript": [16, 17]}, "layouts": ["pair"], "require": "all"}
    )
    mend = upgrade(asked(project, FOUR, "--to", "torch==2.6.0", code=1))["mend"]
    assert mend["change"] == "opset 18 (for torchscript opset 16 pair); opset 18 (for torchscript opset 17 pair)"
    assert (mend["cell"]["status"], [one["opset"] for one in mend["cell"]["variants"]]) == ("works", [18])


def test_one_other_way_to_export_is_a_change_of_code_and_not_safe(project):
    project.publish(
        packages.torch("2.5.0", requires=("sympy",)),
        packages.torch("2.6.0", on_export="if variant['exporter'] == 'torchscript': raise RuntimeError('gone')"),
    )
    project.configure(variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]})
    one = upgrade(asked(project, FOUR.replace("2.1.0", "2.5.0"), "--to", "torch==2.6.0", code=0))
    assert [lost["variant"] for lost in one["lost"]] == [
        "torchscript-17-pair-keep-cross-numpy"
    ]  # dynamo works before and after
    alone = asked(project, FOUR.replace("2.1.0", "2.5.0"), "--to", "torch==2.6.0", "--exporter", "torchscript", code=1)
    assert upgrade(alone)["lost"][0]["message"].startswith("RuntimeError: gone (in torch/__init__.py")


def test_where_only_another_way_works_that_is_the_mend(project):
    for version, gone in {"2.5.0": "dynamo", "2.6.0": "torchscript"}.items():
        source = f"if variant['exporter'] == '{gone}': raise RuntimeError('gone')"
        project.publish(packages.torch(version, on_export=source))
    project.configure(variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]})
    one = upgrade(asked(project, FOUR.replace("2.1.0", "2.5.0"), "--to", "torch==2.6.0", code=1))
    assert one["target"]["status"] == "works"  # by the matrix's measure; whoever exports with torchscript has to change
    assert one["mend"]["change"] == "export with dynamo opset 18 pair instead"


def test_variants_of_the_options(shared):
    found = asked(shared, FOUR, "--opset", "12", "--exporter", "torchscript", "--layout", "merged", code=0)
    assert [(one["opset"], one["layout"]) for one in found["current"]["variants"]] == [(12, "merged")]


def test_the_matrix_s_constraints_do_not_hide_a_trap(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=NEEDS_NUMPY_1))
    project.configure(constraint=[{"when": "onnxruntime<1.19", "add": ["numpy<2"], "reason": "numpy 1"}])
    found = asked(project, FOUR.replace("1.16.3", "1.17.0"), code=1)
    assert found["current"]["resolved"]["numpy"] == "2.1.0"
    assert asked(project, FOUR.replace("1.16.3", "1.17.0"), "--with", "numpy<2", code=0)["answer"] == "SAFE"


def test_the_forms_of_an_answer(shared, monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    text = asked(shared, FOUR, "--to", "transformers<5", code=1, form="text").out
    assert text.splitlines()[0] == "BREAKS: transformers 4.46.3 → 4.49.0"
    assert "torchscript opset 17 pair: fails at import: needs torch 2.2" in text
    assert "smallest change that makes it work: torch 2.2.0 as well" in text
    assert "nearest target that works: transformers 4.47.0" in text
    assert not summary.exists()
    github = asked(shared, FOUR, "--to", "transformers<5", code=1, form="github").out
    assert github.startswith("::error title=export-matrix check%3A BREAKS::transformers 4.46.3 → 4.49.0%0A")
    assert github.count("\n") == 1
    assert summary.read_text().startswith("# BREAKS: transformers 4.46.3 → 4.49.0\n")
    markdown = asked(shared, FOUR, "--to", "transformers<5", code=1, form="markdown").out
    assert markdown == summary.read_text()


NEEDS_SOMETHING_NEWER = """
import importlib.metadata as m
def release(name):
    try: return tuple(map(int, m.version(name).split(".")))
    except m.PackageNotFoundError: return (0,)
if release("onnx") < (1, {onnx}) and release("extrathing") < (0, {extra}): raise ImportError("needs something newer")
"""


@pytest.mark.parametrize(
    ("onnx", "extra", "change"),
    [
        (19, 2, "extrathing 0.2.0 as well"),  # the nearest of one axis, the third of another
        (17, 3, "onnx 1.17.0 as well"),
        (19, 3, "extrathing 0.3.0 as well"),  # the nearest of none
        (18, 4, "onnx 1.18.0 as well"),
        (20, 4, "extrathing 0.4.0 as well"),  # the newest of one, nothing of the other
    ],
)
def test_of_two_axes_the_one_that_moves_less_is_the_smallest_change(project, onnx, extra, change):
    need = NEEDS_SOMETHING_NEWER.format(onnx=onnx, extra=extra)
    project.publish(
        packages.transformers("4.47.0", on_import=need),
        *(packages.onnx(f"1.{minor}.0") for minor in (17, 18, 19)),
        *(packages.package("extrathing", f"0.{minor}.0") for minor in (1, 2, 3, 4)),
    )
    project.configure({"extrathing": ["0.1.0"]})
    given = FOUR + "extrathing==0.1.0\n"
    assert upgrade(asked(project, given, "--to", "transformers==4.47.0", code=1))["mend"]["change"] == change


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (FOUR, ["--to", "transformers==9.9"], "no published version of transformers satisfies '==9.9'"),
        (FOUR, ["--to", "nonesuch>1"], "no index that uv searched has a distribution named 'nonesuch'"),
        (FOUR, ["--to", "transformers=5"], "--to: expected a requirement such as"),
        (FOUR, ["--to", "nonesuch.txt"], "--to nonesuch.txt: no such file"),
        (FOUR, ["--to", "python==3.12"], "--to python==3.12: the Python of a set is chosen with --python"),
        (FOUR, ["--with", "python==3.12"], "--with python==3.12: the Python of a set is chosen with --python"),
        (FOUR, ["--opset", "0"], "expected an opset, 1 or more"),
        (FOUR, ["--to", "transformers", "--outdated"], "leave out one"),
        (FOUR, ["--exporter", "dynmo"], "did you mean 'dynamo'"),
        (FOUR, ["--layout", "pears"], "--layout pears: unknown"),
        (FOUR, ["--python", "three"], "expected CPython versions such as '3.11'"),
        (FOUR.replace("4.46.3", "1.2.3"), [], "transformers 1.2.3 is not published"),
        (
            FOUR.replace("2.1.0", "2.1.0+cpu") + "torch==2.1.0\ntorch==2.1.0+cu121\n",
            [],
            "torch is pinned twice, to 2.1.0+cpu and to 2.1.0+cu121",
        ),
        ("torch==2.1.0\nonnx==1.16.2\n", [], "transformers, onnxruntime missing: name them with --with transformers==…"),
        ("torch>=99\ntransformers\nonnx\nonnxruntime\n", [], "has no solution"),
    ],
)
def test_bad_input(shared, text, arguments, said):
    path = shared.root / "bad.txt"
    path.write_text(text)
    answer = shared.main("check", "--from", str(path), "--quiet", *arguments)
    assert answer.code == 2, answer.out
    assert said in " ".join(answer.err.split())
    assert "SAFE" not in answer.out


def test_a_python_must_be_known(shared):
    path = shared.root / "requirements.txt"
    path.write_text(FOUR)
    shared.configure({"python": ["3.10", PYTHON]})
    try:
        answer = shared.main("check", "--from", str(path))
    finally:
        shared.configure()
    assert answer.code == 2
    assert f"does not name a Python version: give --python (the matrix has 3.10, {PYTHON})" in answer.err


def test_another_type_in_the_same_words_is_no_failure_of_the_current_set(project):
    for version, kind in (("4.47.0", "int64"), ("4.50.0", "int8")):
        project.publish(packages.transformers(version, eager=packages.raises(f"TypeError('no kernel for {kind} here')")))
    text = FOUR.replace("4.46.3", "4.47.0")
    answer = asked(project, text, "--to", "transformers==4.50.0", "--python", PYTHON, code=1, form="text")
    assert "in the same way" not in answer.out
    assert "no kernel for int8 here" in answer.out
