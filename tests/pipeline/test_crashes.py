"""Whatever a probe does to itself costs its own variant, in one clear line; the others' results stand."""

from __future__ import annotations

import textwrap
from pathlib import Path

import packages
import pytest
from packages import CRASH_IN_C, FLOOD, HANG, HOARD, KILLED, LEAVE_0, LEAVE_3, SEGFAULT
from project import AXES, Project, alive, wait_until

pytestmark = pytest.mark.usefixtures("installed_once")

VARIANTS = {"exporters": ["torchscript", "dynamo"], "layouts": ["pair", "merged"]}
LIMITS = {"time-limit": "6s", "memory-limit": "300MB"}


def only_for(variant: str, source: str) -> str:
    """`source`, in `export`, for one variant."""
    return f"if variant['id'] == {variant!r}:\n    {source}"


DEATHS_AT_EXPORT = {
    "segfault": (CRASH_IN_C, "fails", "killed by SIGSEGV in export"),
    "abort": ("import os; os.abort()", "fails", "killed by SIGABRT in export"),
    "killed": (KILLED, "error", "killed by SIGKILL in export"),
    "exit-0": (LEAVE_0, "fails", "the process left with exit code 0 in export"),
    "exit-3": (LEAVE_3, "fails", "the process left with exit code 3 in export"),
    "system-exit": ("raise SystemExit(4)", "fails", "4"),
    "hang": (HANG, "error", "no progress in export for 6 s"),
    "hoard": (HOARD, "error", "more than 0.3 GB resident in export"),
}

DEATHS_AT_IMPORT = {
    "segfault": (SEGFAULT, "fails", "killed by SIGSEGV in import"),
    "exit-0": (LEAVE_0, "fails", "the process left with exit code 0 in import"),
    "hang": (HANG, "error", "no progress in import for 6 s"),
}


@pytest.fixture(scope="module")
def wreckage(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One run: a torch for each death at export, a torch and an onnxruntime for each death at import."""
    project = Project(tmp_path_factory.mktemp("wreckage"))
    torches = [
        packages.torch(f"2.2.{number}", on_export=only_for("torchscript-17-merged", source))
        for number, (source, *_) in enumerate(DEATHS_AT_EXPORT.values())
    ]
    imports = [(number, source) for number, (source, *_) in enumerate(DEATHS_AT_IMPORT.values())]
    torches += [packages.torch(f"2.3.{number}", on_import=source) for number, source in imports]
    runtimes = [packages.onnxruntime(f"1.99.{number}", on_import=source) for number, source in imports]
    project.publish(*packages.working(), *torches, *runtimes)
    base = {axis: versions[0] for axis, versions in AXES.items()}
    project.configure(include=[{**base, one.name: one.version} for one in [*torches, *runtimes]], variants=VARIANTS, run=LIMITS)
    project.run("--jobs", "4")
    return project


def cell_with(project: Project, name: str, version: str) -> dict:
    (cell,) = [cell for cell in project.report()["cells"] if cell["pins"][name] == version]
    return cell


def by_variant(cell: dict) -> dict[str, dict]:
    return {f"{one['exporter']} {one['layout']}": one for one in cell["variants"]}


def only_cell(project: Project) -> dict:
    (cell,) = project.run().values()
    return cell


@pytest.mark.parametrize("death", DEATHS_AT_EXPORT)
def test_an_export_that_dies_leaves_the_other_variants_their_results(wreckage, death):
    _, status, words = DEATHS_AT_EXPORT[death]
    cell = cell_with(wreckage, "torch", f"2.2.{list(DEATHS_AT_EXPORT).index(death)}")
    variants = by_variant(cell)
    dead = variants.pop("torchscript merged")
    assert (dead["status"], dead["stage"]) == (status, "export")
    assert words in dead["error"]
    assert {name: one["status"] for name, one in variants.items()} == dict.fromkeys(
        ["torchscript pair", "dynamo pair", "dynamo merged"], "works"
    )
    assert cell["status"] == "works"


@pytest.mark.parametrize("death", DEATHS_AT_IMPORT)
@pytest.mark.parametrize(("name", "series"), [("torch", "2.3"), ("onnxruntime", "1.99")])
def test_a_package_that_dies_at_import_fails_there(wreckage, name, series, death):
    _, status, words = DEATHS_AT_IMPORT[death]
    cell = cell_with(wreckage, name, f"{series}.{list(DEATHS_AT_IMPORT).index(death)}")
    assert cell["status"] == status
    assert {(one["status"], one["stage"]) for one in cell["variants"]} == {(status, "import")}
    assert all(words in one["error"] for one in cell["variants"])


def test_a_process_that_dies_before_its_first_variant_is_started_once(wreckage):
    # The working torch, twice: the runtime that hangs takes its export with it. Two probes for each death at export, one
    # for each death at import, and one for each of these that is a fact, once more at the end.
    facts = sum(status == "fails" for _, status, _ in (*DEATHS_AT_EXPORT.values(), *DEATHS_AT_IMPORT.values()))
    # One that raises SystemExit goes on, and what works after it is also run in a process of its own.
    assert len(wreckage.starts("export")) == 2 + 2 * 7 + 1 + len(DEATHS_AT_IMPORT) + facts + 1
    # What torch alone dies of is not tried beside a runtime. What the runtime dies of is a fact in two of three cases.
    assert len(wreckage.starts("import")) == 1 + len(DEATHS_AT_EXPORT) + len(DEATHS_AT_IMPORT) + 2


def test_a_run_that_dies_leaves_the_other_variants_their_results(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=f"if run['layout'] == 'pair':\n    {SEGFAULT}"))
    project.configure({"onnxruntime": ["1.17.0"]}, variants=VARIANTS)
    variants = by_variant(only_cell(project))
    assert {name: (one["status"], one["stage"]) for name, one in variants.items()} == {
        "torchscript pair": ("fails", "decode"),
        "torchscript merged": ("works", None),
        "dynamo pair": ("fails", "decode"),
        "dynamo merged": ("works", None),
    }


@pytest.mark.parametrize("place", ["export", "decode"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_crash_by_chance_beside_one_that_always_comes_is_flaky(project, place, times):
    """A crash has no words: both have one signature. The second one is found out by the run at the end."""
    always = "variant['layout'] == 'pair'" if place == "export" else "run['binding'] == 'numpy'"
    source = textwrap.dedent(f"""
        import pathlib
        always, count = {always}, pathlib.Path({str(project.notes / "count")!r})
        done = 0 if always or not count.exists() else len(count.read_text())
        always or count.write_text("x" * (done + 1))
        if always or done < {times}:
            {SEGFAULT}
    """)
    project.publish(packages.torch(on_export=source) if place == "export" else packages.onnxruntime(on_run=source))
    layouts, bindings = (["pair", "merged"], ["numpy"]) if place == "export" else (["pair"], ["numpy", "ortvalue"])
    project.configure(variants={"exporters": ["torchscript"], "layouts": layouts, "bindings": bindings})
    assert [(one["status"], one["stage"]) for one in only_cell(project)["variants"]] == [("fails", place), ("flaky", place)]


def test_an_eager_that_dies_is_tried_once(project):
    project.publish(packages.transformers("4.47.0", eager=SEGFAULT))
    project.configure({"transformers": ["4.47.0"]}, variants=VARIANTS)
    cell = only_cell(project)
    assert {(one["status"], one["stage"]) for one in cell["variants"]} == {("fails", "eager")}
    # And once with another model, because nothing works with this one, and once more at the end.
    assert len(project.starts("export")) == 3
    assert project.starts("run") == []


def leaves_early(flag: Path) -> str:
    """Source that ends the process, while `flag` exists, when it lists what it imported: after all that was asked of it."""
    return f"""
        import os, sys
        class Trap:
            __dict__ = property(lambda self: os._exit(9))
        if os.path.exists({str(flag)!r}):
            sys.modules["trap"] = Trap()
    """


def test_an_export_process_that_dies_after_its_last_stage_leaves_nothing_to_run(project):
    flag = project.notes / "flag"
    flag.touch()
    project.publish(packages.onnx("1.17.0", on_check=leaves_early(flag)))
    project.configure({"onnx": ["1.17.0"]})
    cell = only_cell(project)
    assert [(one["status"], one["stage"]) for one in cell["variants"]] == [("error", "import")]
    assert "the probe's own code" in cell["variants"][0]["error"]
    assert project.starts("run") == []
    flag.unlink()
    (cell,) = project.run("--retry", "error").values()
    assert cell["status"] == "works"


def test_a_later_export_process_that_dies_takes_nothing_from_what_worked_before(project):
    flag = project.notes / "flag"
    project.publish(packages.onnx("1.17.0", on_check=leaves_early(flag)))
    project.configure({"onnx": ["1.17.0"]})
    project.run()
    flag.touch()
    project.configure({"onnx": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    variants = by_variant(only_cell(project))
    assert {name: one["status"] for name, one in variants.items()} == {
        "torchscript pair": "works",
        "torchscript merged": "error",
    }


def test_megabytes_of_binary_output_change_nothing_and_end_up_in_a_bounded_log(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=FLOOD + "; import time; time.sleep(0.6)"))
    project.configure({"onnxruntime": ["1.17.0"]})
    cell = only_cell(project)
    assert cell["status"] == "works"
    log = project.store / cell["variants"][0]["log"]
    assert log.stat().st_size < 10_000_000
    assert log.read_bytes().startswith(b"first line of output\n")
    assert b"the harness cut the output here" in log.read_bytes()


def test_every_process_has_a_log_of_its_own(project):
    says = "print('decoding', run['artifact'], flush=True)\nraise RuntimeError('no')\n"
    project.publish(packages.torch("2.2.0", ir=7), packages.onnxruntime("1.17.0", on_run=says))
    project.configure({"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.17.0"]})
    for arguments in ([], ["--force"]):
        logs = {variant["log"] for cell in project.run(*arguments).values() for variant in cell["variants"]}
        assert len(logs) == 2
        for log in logs:
            assert (project.store / log).read_text().count("decoding") == 1


def test_binary_output_before_a_crash_is_made_printable(project):
    project.publish(
        packages.onnxruntime("1.17.0", on_run=f"import os; os.write(1, b'\\x00\\xff\\x1b[31mlast words'); {SEGFAULT}")
    )
    project.configure({"onnxruntime": ["1.17.0"]})
    only_cell(project)
    answer = project.main("explain", "py*")
    assert "killed by SIGSEGV in decode" in answer.out
    assert "\x1b" not in answer.out


def grandchild(note: str, start: str) -> str:
    """Source that starts a sleeping process and writes its id to the file `note`."""
    return f"import subprocess, sys; child = {start}; open({note!r}, 'w').write(str(child.pid))"


PLAIN = "subprocess.Popen(['sleep', '600'])"
DETACHED = "subprocess.Popen(['sleep', '600'], start_new_session=True)"


@pytest.mark.parametrize("ending", ["pass", HANG, LEAVE_3], ids=["done", "timeout", "exit"])
def test_what_a_probe_leaves_running_is_gone(project, ending):
    note = project.notes / "pid"
    project.publish(packages.onnxruntime("1.17.0", on_run=f"{grandchild(str(note), PLAIN)}; {ending}"))
    project.configure({"onnxruntime": ["1.17.0"]}, run=LIMITS)
    project.run()
    wait_until(lambda: not alive(int(note.read_text())), 30)


def test_what_a_probe_has_detached_is_gone(project):
    note = project.notes / "pid"
    project.publish(packages.onnxruntime("1.17.0", on_run=grandchild(str(note), DETACHED.replace("600", "20"))))
    project.configure({"onnxruntime": ["1.17.0"]})
    project.run()
    wait_until(lambda: not alive(int(note.read_text())), 30)
