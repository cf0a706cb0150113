"""`pin`: an observed working set becomes lock files, once a fresh environment has confirmed it."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import packages
import pytest
from packaging.pylock import Pylock
from project import Project

from harness.decide.version_files import read

pytestmark = pytest.mark.usefixtures("installed_once")

BREAKS = packages.raises("ImportError('no')")


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Project:
    """Two torches and three onnxruntimes: the newest torch with the newest onnxruntime fails. All of it was run."""
    made = Project.working(tmp_path_factory.mktemp("pin"))
    made.publish(
        packages.torch("2.2.0", ir=9),
        packages.onnxruntime("1.17.0"),
        packages.onnxruntime("1.18.0", max_ir=8),
    )
    made.configure(
        {"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]},
        variants={"exporters": ["torchscript"], "layouts": ["pair"], "feedbacks": ["keep-cross", "feed-all"]},
    )
    made.run("--quiet")
    return made


def pinned(project: Project, *arguments: str, code: int = 0):
    answer = project.main("pin", "--quiet", "--format", "json", *arguments)
    assert answer.code == code, answer.err + answer.out
    return json.loads(answer.out)


def folder(told) -> Path:
    return Path(told["folder"])


def test_the_newest_observed_working_set_and_its_files(shared):
    before = len(shared.starts())
    told = pinned(shared)
    assert told["pins"] == {"torch": "2.2.0", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.17.0"}
    assert told["files"] == ["requirements.txt", "constraints.txt", "pylock.toml", "export-recipe.md"]
    kinds = [start["kind"] for start in shared.starts()[before:]]
    # Once more, in an environment of its own and each feedback in a process of its own; the graph that feed-all fails with is
    # exported twice.
    assert sorted(kinds) == ["export", "export", "import", "run", "run"]
    assert not [path for path in (shared.store / "envs").iterdir() if path.is_dir()]

    (cell,) = (cell for cell in shared.cells().values() if cell["id"] == told["pinned"])
    for name in ("requirements.txt", "constraints.txt", "pylock.toml"):
        assert read(folder(told) / name, None, "3.11").exact == cell["resolved"]
        header = (folder(told) / name).read_text().splitlines()[:5]
        assert header[0].startswith(f"# {told['pinned']}, pinned by export-matrix on 20")
        assert header[1].startswith("# platform Linux-")
        assert header[2] == "# torch from: the default index"
        assert header[3].startswith("# probe ")
        assert header[4].startswith("# verified: installed into a fresh environment")
    requirements = (folder(told) / "requirements.txt").read_text()
    assert requirements.count("--hash=sha256:") == len(cell["resolved"])
    lock = Pylock.from_dict(tomllib.loads((folder(told) / "pylock.toml").read_text()))
    hashes = {wheel.hashes["sha256"] for package in lock.packages for wheel in package.wheels or ()}
    assert all(f"--hash=sha256:{value}" in requirements for value in hashes)


def test_nothing_is_written_through_what_lies_in_the_folder_of_pins(shared, tmp_path):
    place = folder(pinned(shared))
    files = sorted(path.name for path in place.iterdir())
    shutil.rmtree(place)
    place.symlink_to(tmp_path)
    place.with_name(f".{place.name}.new").symlink_to(tmp_path)
    assert folder(pinned(shared)) == place
    assert list(tmp_path.iterdir()) == []
    assert not place.is_symlink()
    assert sorted(path.name for path in place.iterdir()) == files


def test_the_recipe_says_which_way_and_what_else_was_tried(shared):
    text = (folder(pinned(shared, "--require", "onnxruntime==1.16.3")) / "export-recipe.md").read_text()
    assert "torch 2.2.0, transformers 4.46.3, onnx 1.16.2, onnxruntime 1.16.3; together." in text
    assert "| exporter   | torchscript:" in text
    assert "| IR version | 9 (as exported)" in text
    assert "1 of the 2 ways below works" in text
    assert "It also works in 2 neighbouring combinations" in text  # torch 2.1.0, onnxruntime 1.17.0
    (diagnostic,) = (line for line in text.splitlines() if "| feed-all" in line)
    assert "fails at decode: Reshape node" in diagnostic


def test_what_is_required_and_what_is_preferred(shared):
    assert pinned(shared, "--require", "onnxruntime==1.18.0")["pins"]["torch"] == "2.1.0"
    assert pinned(shared, "--require", "torch<2.2", "--require", "onnxruntime<1.18")["pins"]["onnxruntime"] == "1.17.0"
    robust = pinned(shared, "--prefer", "robust")["pins"]
    assert (robust["torch"], robust["onnxruntime"]) == ("2.1.0", "1.17.0")  # all three neighbours work
    like = shared.root / "mine.txt"
    like.write_text("torch==2.1.0\nonnxruntime==1.16.3\n")
    kept = pinned(shared, "--prefer", "smallest-change-from", str(like))["pins"]
    assert (kept["torch"], kept["onnxruntime"]) == ("2.1.0", "1.16.3")
    assert pinned(shared, "--select", "torch==2.1.0")["pins"]["torch"] == "2.1.0"


def test_nothing_that_satisfies_it_is_a_no_with_what_is_nearest(shared):
    told = pinned(shared, "--require", "onnxruntime==1.18.0", "--require", "torch>=2.2", code=1)
    assert told["pinned"] is None
    assert any(text.startswith("cells that satisfy it: 1 fails") for text in told["details"])
    assert any(text.endswith("with onnxruntime 1.17.0 instead of ==1.18.0") for text in told["details"]), told["details"]
    text = shared.main("pin", "--quiet", "--require", "torch>9")
    assert (text.code, text.out.splitlines()[0]) == (1, "no observed working set satisfies torch>9")


def test_a_published_report_is_enough_and_is_confirmed_here(shared, tmp_path):
    fresh = shared.copy(tmp_path / "clone")
    shutil.rmtree(fresh.store)
    before = len(fresh.starts("export"))
    told = pinned(fresh, "--require", "onnxruntime==1.16.3")
    assert told["pins"]["torch"] == "2.2.0"
    # Observed here, then once more in a fresh environment; what feed-all fails with is exported again in both, and at the end.
    assert len(fresh.starts("export")) - before == 2 + 3


def test_without_anything_observed_there_is_nothing_to_pin(project):
    told = pinned(project, code=1)
    assert told["why"] == "no observed working set"
    assert told["details"][-1:] == ["no cell of this matrix was observed to work; `python -m harness run` runs it"]
    assert not (project.reports / "pins").exists()


def test_what_is_not_confirmed_is_not_written(project):
    """An export that works only beside nothing but its closure: shared results said so, a fresh environment does not."""
    looks = """
        import importlib.util
        if importlib.util.find_spec("onnxruntime"):
            raise RuntimeError("an export that looks for a runtime")
    """
    project.publish(packages.torch("2.2.0", on_export=looks))
    project.configure({"torch": ["2.2.0"]})
    project.run("--quiet")
    answer = project.main("pin", "--quiet")
    assert answer.code == 3
    assert "was not confirmed in a fresh environment, and nothing is written" in answer.err
    assert "fails export from scratch" in answer.err
    assert not (project.reports / "pins").exists()


def test_a_fresh_environment_that_ends_in_an_error_proves_nothing(project):
    gate = project.root / "gate"
    project.publish(packages.torch("2.2.0", on_export=f"import os\nif os.path.exists({str(gate)!r}): {packages.KILLED}"))
    project.configure({"torch": ["2.2.0"]})
    project.run("--quiet")
    gate.touch()
    answer = project.main("pin", "--quiet")
    assert answer.code == 3, answer.err
    assert "was not confirmed in a fresh environment, and nothing is written: error at export" in answer.err
    assert not (project.reports / "pins").exists()
    gate.unlink()
    pinned(project)


def test_the_recipe_is_a_way_that_the_fresh_environment_confirmed(project):
    gate = project.root / "gate"
    killed = f"import os\nif variant['layout'] == 'pair' and os.path.exists({str(gate)!r}): {packages.KILLED}"
    project.publish(packages.torch("2.2.0", on_export=killed))
    project.configure({"torch": ["2.2.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    project.run("--quiet")
    assert "-pair-" in pinned(project)["variant"]
    gate.touch()
    assert "-merged-" in pinned(project)["variant"]


def test_what_is_flaky_here_is_not_pinned(project):
    turns = project.notes / "turns"
    project.publish(packages.torch(on_export=packages.in_turn(turns, "raise RuntimeError('by chance')")))
    turns.write_text("9")
    project.run("--quiet")
    shutil.rmtree(project.store)
    turns.unlink()
    answer = project.main("pin", "--quiet")
    assert answer.code == 3, answer.err
    assert "and nothing is written: flaky at export" in answer.err
    assert not (project.reports / "pins").exists()


def test_a_handoff_has_a_lock_for_each_side(project):
    project.configure(setup=["handoff"])
    project.run("--quiet")
    told = pinned(project)
    assert "onnxruntime" not in read(folder(told) / "export" / "requirements.txt", None, "3.11").exact
    assert "torch" not in read(folder(told) / "run" / "pylock.toml", None, None).exact


def test_a_set_of_one_s_own(shared):
    path = shared.root / "mine.txt"
    path.write_text("torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.18.0\n")
    told = pinned(shared, "--from", str(path), "--with", "numpy<2", "--opset", "12")
    assert told["variant"].startswith("torchscript-12-pair-keep-cross")
    assert read(folder(told) / "constraints.txt", None, "3.11").exact["numpy"] == "1.26.4"
    refused = pinned(shared, "--from", str(path), "--with", "torch==2.2.0", code=1)
    assert "does not work, and is not pinned" in refused["why"]
    assert any("Unsupported model IR version: 9" in text for text in refused["details"])
    assert pinned(shared, "--from", str(path), "--python", "3.99", code=3)["pinned"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--require", "onnxruntme"], "no cell has onnxruntme; did you mean 'onnxruntime'"),
        (["--require", "torch=2"], "--require: expected a requirement"),
        (["--prefer", "oldest"], "--prefer oldest: expected newest, robust or smallest-change-from FILE"),
        (["--prefer", "smallest-change-from"], "expected newest, robust or smallest-change-from FILE"),
        (["--prefer", "smallest-change-from", "absent.txt"], "absent.txt cannot be read"),
        (["--from", "absent.txt"], "absent.txt cannot be read"),
        (["--from", "absent.txt", "--require", "torch"], "--from names the set"),
        (["--opset", "12"], "--opset goes with --from"),
        (["--list", "--python", "3.12"], "--list lists the working sets of the matrix: leave out --from, --prefer and --"),
        (["--python", "3.12"], "--python 3.12 goes with --from or smallest-change-from: use --require python==3.12"),
    ],
)
def test_bad_input(shared, arguments, said):
    answer = shared.main("pin", "--quiet", *arguments)
    assert answer.code == 2, answer.out
    assert said in " ".join(answer.err.split())


NEEDS_NUMPY_1 = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""


@pytest.fixture(scope="module")
def mended(tmp_path_factory) -> Project:
    """onnxruntime 1.16.3 works; 1.17.0 with numpy<2 only; 1.18.0 with a lower IR version than the newer torch stamps."""
    made = Project.working(tmp_path_factory.mktemp("mended"))
    made.remedies = True
    made.publish(
        packages.torch("2.2.0", ir=9),
        packages.onnxruntime("1.17.0", on_import=NEEDS_NUMPY_1),
        packages.onnxruntime("1.18.0", max_ir=8),
    )
    made.configure({"torch": ["2.2.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]})
    made.run("--quiet")
    return made


def test_what_works_as_it_is_goes_before_what_works_with_a_remedy(mended):
    told = pinned(mended)
    assert (told["pins"]["onnxruntime"], told["remedy"]) == ("1.16.3", None)


def test_a_remedy_that_was_run_goes_into_the_lock(mended):
    before = len(mended.starts())
    told = pinned(mended, "--require", "onnxruntime==1.17.0")
    assert told["remedy"] == "numpy<2"
    assert len(mended.starts()) - before == 3  # the fresh environment: export, import, run
    for name in ("requirements.txt", "constraints.txt", "pylock.toml"):
        text = (folder(told) / name).read_text()
        assert text.splitlines()[1] == "# with numpy<2, without which these versions fail"
    assert read(folder(told) / "constraints.txt", None, "3.11").exact["numpy"] == "1.26.4"
    said = mended.main("pin", "--quiet", "--require", "onnxruntime==1.17.0").out
    assert said.splitlines()[0] == f"{told['pinned']} with numpy<2 works, and was confirmed in a fresh environment"
    page = mended.main("pin", "--quiet", "--require", "onnxruntime==1.17.0", "--format", "markdown").out
    assert page.startswith(f"# {told['pinned']} with numpy<2 works, and was confirmed in a fresh environment\n\n- Python ")


def test_what_is_required_must_hold_for_the_lock_with_the_remedy(mended):
    """The cell has numpy 2 by itself, and works with numpy 1 only."""
    told = pinned(mended, "--require", "onnxruntime==1.17.0", "--require", "numpy<2")
    assert told["remedy"] == "numpy<2"
    assert read(folder(told) / "constraints.txt", None, "3.11").exact["numpy"] == "1.26.4"
    told = pinned(mended, "--require", "onnxruntime==1.17.0", "--require", "numpy>=2", code=1)
    assert told["pinned"] is None
    assert not any("numpy<2" in text for text in told["details"])


def test_a_remedy_of_the_export_goes_into_the_recipe(mended):
    told = pinned(mended, "--require", "onnxruntime==1.18.0")
    assert told["remedy"] == "ir-version 8"
    text = (folder(told) / "export-recipe.md").read_text()
    assert "with ir-version 8, without which these versions fail." in text
    assert "| IR version | 8 (set after the export)" in text
    assert "With exactly these versions no other way was run; this one works, with a largest difference" in text


def test_an_option_of_the_session_is_in_the_recipe(project):
    project.remedies = True
    only = "if run['session'] != {'memory_pattern': 'disabled'}: raise RuntimeError('no')"
    project.publish(packages.onnxruntime("1.17.0", on_run=only))
    project.configure({"onnxruntime": ["1.17.0"]})
    project.run("--quiet")
    (remedy,) = next(iter(project.cells().values()))["remedies"]
    told = pinned(project)
    assert told["remedy"] == remedy == "memory-pattern disabled"
    assert "| onnxruntime's memory pattern | disabled" in (folder(told) / "export-recipe.md").read_text()


def test_a_report_without_its_store_names_what_works_with_a_remedy(mended, tmp_path):
    clone = mended.copy(tmp_path / "clone")
    shutil.rmtree(clone.store)
    told = pinned(clone, "--require", "onnxruntime==1.17.0", code=1)
    assert told["details"][0].startswith("cells that satisfy it: 1 works-with-remedy; for example ")
    assert told["details"][0].endswith("which works with numpy<2")
    assert told["details"][-1].startswith("what works with a remedy is pinned where that was run")


def test_where_all_must_work_what_needs_no_remedy_counts_too(project):
    """With numpy<2 nobody has run the variant that works as it is; with another IR version nothing of it changes."""
    project.remedies = True
    stamped = "variant['ir_version'] or (9 if 'pair' in variant['id'] else 8)"
    project.publish(
        packages.torch("2.2.0", on_export=f"variant = {{**variant, 'ir_version': {stamped}}}"),
        packages.onnxruntime("1.18.0", max_ir=8),
    )
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "no-cache"], "require": "all"}
    project.configure({"torch": ["2.2.0"], "onnxruntime": ["1.18.0"]}, variants=variants)
    project.run("--quiet")
    told = pinned(project)
    text = (folder(told) / "export-recipe.md").read_text()
    assert (told["remedy"], "the 2 ways below work" in text) == ("ir-version 8", True)


def test_the_strategy_is_in_the_recipe(project):
    project.configure(variants={"exporters": ["torchscript"], "layouts": ["pair"], "strategies": ["mixed"]})
    project.run()
    text = (folder(pinned(project)) / "export-recipe.md").read_text()
    assert "| strategy" in text
    assert "mixed: after the prefix two steps without the cache" in text
