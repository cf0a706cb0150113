"""What mends a failure is found by running it, named where it was run, and told again from the store alone."""

from __future__ import annotations

import signal
from collections import Counter

import packages
import pytest
from packages import KILLED, package
from project import Project, wait_until

pytestmark = pytest.mark.usefixtures("installed_once")

PICKY = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""
REFUSES = "raise RuntimeError('no')"
CHANGED = "run['session'] or run['binding'] == 'ortvalue'"
"""Source that is true of a run under one of the changes that cost no export."""


def unless(condition: str, otherwise: str = REFUSES) -> str:
    return f"if not ({condition}): {otherwise}"


@pytest.fixture
def project(project: Project) -> Project:
    project.remedies = True
    return project


def on(project: Project, *wheels, **axes):
    """The only cell of a project with one version on every axis, and its only variant."""
    project.publish(*wheels)
    project.configure({axis: [version] for axis, version in axes.items()})
    (cell,) = project.run().values()
    return cell, cell["variants"][0]


def test_a_clash_with_what_the_error_speaks_of(project):
    cell, variant = on(project, packages.onnxruntime("1.17.0", on_import=PICKY), onnxruntime="1.17.0")
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["numpy<2"])
    # What was observed without it stands.
    assert (variant["status"], variant["stage"], variant["remedy"]) == ("fails", "import", "numpy<2")
    assert cell["resolved"]["numpy"] == "2.1.0"
    assert "works-with-remedy ✚ numpy<2" in (project.reports / "matrix.md").read_text()
    assert "mended by numpy<2" in (project.reports / "matrix.md").read_text()
    assert (variant["cause"], variant["certainty"]) == ("version conflict", "proven")
    assert variant["evidence"][-1] == "with numpy<2 the same cell works"


def test_one_import_is_that_of_all_variants_and_so_is_its_cause(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    (cell,) = project.run().values()
    assert [one["remedy"] for one in cell["variants"]] == ["numpy<2", None]
    for one in cell["variants"]:
        assert (one["cause"], one["certainty"]) == ("version conflict", "proven")
        assert one["evidence"][-1] == "with numpy<2 the same cell works"


def test_no_option_of_a_session_is_tried_on_what_does_not_import(project):
    _, variant = on(project, packages.onnxruntime("1.17.0", on_import=REFUSES), onnxruntime="1.17.0")
    assert variant["tried"] == []
    assert variant["remedy"] is None


def test_an_ir_that_the_runtime_refuses(project):
    cell, variant = on(project, packages.torch("2.6.0", ir=11), torch="2.6.0")
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["ir-version 9"])
    assert variant["tried"] == [f"optimization {level}: fails at load" for level in ("extended", "basic", "disabled")]


@pytest.mark.parametrize(
    ("condition", "remedy"),
    [
        ("run['session'].get('optimization') in {'basic', 'disabled'}", "optimization basic"),
        ("run['session'].get('memory_pattern')", "memory-pattern disabled"),
        ("run['binding'] == 'ortvalue'", "binding ortvalue"),
        ("'-14-' in run['id']", "opset 14"),
        ("'sdpa' in run['id']", "attention sdpa"),
    ],
)
def test_one_change_of_the_variant(project, condition, remedy):
    cell, _ = on(project, packages.onnxruntime("1.17.0", on_run=unless(condition)), onnxruntime="1.17.0")
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", [remedy])


def test_the_other_exporter(project):
    project.publish(packages.torch("2.6.0", on_export=unless("variant['exporter'] == 'torchscript'")))
    project.configure({"torch": ["2.6.0"]}, variants={"exporters": ["dynamo"], "layouts": ["pair"]})
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["exporter torchscript"])


def test_two_changes_where_one_gets_further(project):
    cell, _ = on(
        project,
        packages.torch("2.6.0", ir=11),
        packages.onnxruntime("1.17.0", on_import=PICKY),
        torch="2.6.0",
        onnxruntime="1.17.0",
    )
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["numpy<2, ir-version 9"])


def test_a_culprit_that_only_the_neighbours_lock_tells(project):
    """Both distributions differ; the innocent one comes first and is dismissed."""
    picky = "import importlib.metadata as m\nif m.version('vec' + 'tor') == '3.4.1': raise ImportError('undefined symbol')"
    project.publish(
        *(package("humanlogs", version) for version in ("1.0", "2.0")),
        *(package("vector", version) for version in ("3.2.0", "3.3.0", "3.4.1")),
        packages.onnxruntime("1.17.0", on_import=picky, requires=("humanlogs", "vector", "numpy")),
        packages.onnxruntime("1.18.0", requires=("humanlogs<2", "vector<3.3", "numpy")),
    )
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    fails, works = project.run().values()
    assert (fails["status"], fails["remedies"]) == ("works-with-remedy", ["vector<3.4"])
    assert fails["variants"][0]["tried"] == ["humanlogs==1.0: fails at import"]
    told = project.main("explain", fails["id"]).out
    assert "dismissed: humanlogs==1.0 (fails at import)" in told
    assert "proven: vector==3.2.0, vector<3.4 (works)" in told
    assert f"nearest cell that works: {works['id']}; here\n    onnxruntime 1.17.0 instead of 1.18.0\n" in told
    assert "vector 3.4.1 instead of 3.2.0" in told


def test_two_culprits_together(project):
    picky = (
        "import importlib.metadata as m\nif {m.version('o' + 'ne'), m.version('t' + 'wo')} != {'1.0'}: raise ImportError('no')"
    )
    project.publish(
        *(package(name, version) for name in ("one", "two") for version in ("1.0", "2.0")),
        packages.onnxruntime("1.17.0", on_import=picky, requires=("one", "two", "numpy")),
        packages.onnxruntime("1.18.0", requires=("one<2", "two<2", "numpy")),
    )
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    fails, _ = project.run().values()
    assert (fails["status"], fails["remedies"]) == ("works-with-remedy", ["one==1.0 two==1.0"])


def test_another_version_on_an_axis_makes_another_cell(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=REFUSES), packages.onnxruntime("1.18.0"))
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    fails, works = project.run().values()
    assert (fails["status"], fails["remedies"]) == ("fails", ["onnxruntime 1.18.0"])
    assert works["status"] == "works"
    assert "works with: onnxruntime 1.18.0 (another cell: this one fails)" in project.main("explain", fails["id"]).out


def test_a_patch_that_only_the_index_has(project):
    project.publish(
        packages.onnxruntime("1.17.0", on_run=REFUSES), packages.onnxruntime("1.17.2"), packages.onnxruntime("1.18.0")
    )
    cell, _ = on(project, onnxruntime="1.17.0")
    assert (cell["status"], cell["remedies"]) == ("fails", ["onnxruntime 1.17.2"])


def test_a_major_release_is_a_remedy_where_the_matrix_shows_it(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=REFUSES), packages.onnxruntime("2.0.0"))
    project.configure({"onnxruntime": ["1.17.0", "2.0.0"]})
    fails, works = project.run().values()
    assert (fails["status"], fails["remedies"]) == ("fails", ["onnxruntime 2.0.0"])
    assert works["status"] == "works"
    assert "works with: onnxruntime 2.0.0 (another cell: this one fails)" in project.main("explain", fails["id"]).out


def test_a_minor_release_goes_before_a_major_one(project):
    project.publish(
        packages.onnxruntime("1.17.0", on_run=REFUSES), *(packages.onnxruntime(version) for version in ("1.12.0", "2.0.0"))
    )
    project.configure({"onnxruntime": ["1.17.0", "1.12.0", "2.0.0"]})
    (fails,) = (cell for cell in project.run().values() if cell["status"] == "fails")
    assert fails["remedies"] == ["onnxruntime 1.12.0"]


def test_a_major_release_that_only_the_index_has_is_not_tried(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=REFUSES), packages.onnxruntime("2.0.0"))
    cell, variant = on(project, onnxruntime="1.17.0")
    assert (cell["status"], cell["remedies"]) == ("fails", [])
    assert not [tried for tried in variant["tried"] if "onnxruntime" in tried]


def test_nothing_mends(project):
    cell, variant = on(project, packages.onnxruntime("1.17.0", on_run=REFUSES), onnxruntime="1.17.0")
    assert (cell["status"], cell["remedies"], variant["remedy"]) == ("fails", [], None)
    assert variant["tried"][0] == "optimization extended: fails at decode"
    tried = len(variant["tried"])
    assert f"no remedy found: {tried} changes tried without success" in (project.reports / "matrix.md").read_text()
    assert f"no remedy found: {tried} changes tried without success" in project.main("explain", "py*").out


def test_an_error_is_no_failure_of_a_change(project):
    dies = f"if {CHANGED}:\n    {KILLED}\n{REFUSES}"
    cell, variant = on(project, packages.onnxruntime("1.17.0", on_run=dies), onnxruntime="1.17.0")
    assert (cell["status"], variant["remedy"]) == ("fails", None)
    assert not [tried for tried in variant["tried"] if tried.startswith(("optimization", "binding", "memory"))]
    assert "remedy open: " in project.main("explain", "py*").out


def test_an_error_is_not_searched(project):
    cell, variant = on(project, packages.onnxruntime("1.17.0", on_run=KILLED), onnxruntime="1.17.0")
    assert (cell["status"], variant["tried"]) == ("error", [])


def test_what_was_found_out_is_told_from_the_store(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY), packages.onnxruntime("1.18.0", on_run=REFUSES))
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    project.run()
    before, started = project.report(), len(project.starts())
    again = project.main("run")
    assert "remedies:" not in again.err
    assert project.main("report").code == 0
    assert project.main("explain", "*r1170").code == 0
    assert project.report() == before
    assert len(project.starts()) == started
    assert not [path for path in (project.store / "envs").iterdir() if path.is_dir()]


def test_force_tries_the_changes_again_too_each_once(project):
    cell, _ = on(project, packages.onnxruntime("1.17.0", on_run=unless("'-14-' in run['id']")), onnxruntime="1.17.0")
    first = Counter(start["kind"] for start in project.starts())
    before = project.report()["cells"]
    project.run("--force")
    assert Counter(start["kind"] for start in project.starts()) == {kind: 2 * count for kind, count in first.items()}
    assert cell["remedies"] == project.cells()[cell["id"]]["remedies"] == ["opset 14"]
    assert [one["variants"][0]["tried"] for one in before] == [one["variants"][0]["tried"] for one in project.report()["cells"]]


def test_retry_error_tries_again_what_ended_in_an_error(project):
    gate = project.notes / "gate"
    dies = f"import os\nif ({CHANGED}) and not os.path.exists({str(gate)!r}):\n    {KILLED}\n{unless(CHANGED)}"
    cell, _ = on(project, packages.onnxruntime("1.17.0", on_run=dies), onnxruntime="1.17.0")
    gate.touch()
    told = project.main("explain", "py*").out
    assert "remedy open: 8 changes tried without success, 5 ended in an error or flaky, which proves nothing" in told
    assert "`run --retry error` tries again what proved nothing" in told
    assert (cell["status"], project.run()[cell["id"]]["status"]) == ("fails", "fails")
    (cell,) = project.run("--retry", "error").values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["optimization extended"])


def test_refresh_resolves_what_a_change_needs_anew(project):
    cell, _ = on(project, packages.onnxruntime("1.17.0", on_import=PICKY), onnxruntime="1.17.0")
    project.publish(package("numpy", "1.26.5"))
    before = len(project.starts("run"))
    project.run()
    assert len(project.starts("run")) == before
    project.run("--refresh")
    assert project.cells()[cell["id"]]["remedies"] == ["numpy<2"]
    assert len(project.starts("run")) == before + 1


def test_what_mended_one_cell_goes_first_on_the_others(project):
    late = unless("'-14-' in run['id']")
    project.publish(packages.onnxruntime("1.17.0", on_run=late), packages.onnxruntime("1.18.0", on_run=late))
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    first, second = project.run().values()
    assert first["remedies"] == second["remedies"] == ["opset 14"]
    assert first["variants"][0]["tried"]
    assert second["variants"][0]["tried"] == []


def test_where_searches_find_nothing_the_others_are_left_alone(project):
    versions = [f"1.{minor}.0" for minor in (17, 18, 19, 20)]
    project.publish(*(packages.onnxruntime(version, on_run=REFUSES) for version in versions))
    project.configure({"onnxruntime": versions})
    assert [bool(cell["variants"][0]["tried"]) for cell in project.run().values()] == [True, True, False, False]


def test_what_fails_in_working_cells_is_mended_by_what_works_in_the_very_cell(project):
    project.publish(packages.onnxruntime("1.18.0"))
    variants = {"exporters": ["torchscript"], "layouts": ["pair"], "feedbacks": ["keep-cross", "feed-all"]}
    project.configure({"onnxruntime": ["1.16.3", "1.18.0"]}, variants=variants)
    cells = list(project.run().values())
    assert [(cell["status"], cell["remedies"]) for cell in cells] == [("works", [])] * 2
    fed = [variant["remedy"] for cell in cells for variant in cell["variants"] if variant["feedback"] == "feed-all"]
    assert fed == ["feedback keep-cross"] * 2


def test_of_what_fails_in_a_working_cell_only_that_is_compared_which_works_elsewhere(project):
    project.publish(packages.onnxruntime("1.17.0", on_run="if 'merged' in run['id']: raise RuntimeError('no')"))
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "merged"], "feedbacks": ["keep-cross", "feed-all"]}
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, variants=variants)
    older, newer = project.run()
    assert "nearest cell" not in project.main("explain", older).out  # feed-all fails everywhere
    told = project.main("explain", newer).out
    assert f"nearest cell in which torchscript-17-merged-keep-cross-numpy works: {older}; here\n" in told


def test_where_all_must_work_all_must_be_mended(project):
    project.publish(packages.torch("2.6.0", ir=11, on_export="if 'merged' in variant['id']: raise ValueError('never')"))
    for layouts, status in ((["pair", "no-cache"], "works-with-remedy"), (["pair", "merged"], "fails")):
        variants = {"exporters": ["torchscript"], "layouts": layouts, "require": "all"}
        project.configure({"torch": ["2.6.0"]}, variants=variants)
        (cell,) = project.run().values()
        assert cell["status"] == status


def test_what_is_required_is_not_changed_away(project):
    project.publish(packages.torch("2.6.0", on_export=unless("variant['exporter'] == 'torchscript'")))
    for require, status in (("layout=pair", "works-with-remedy"), ("exporter=dynamo", "fails"), ("all", "fails")):
        project.configure({"torch": ["2.6.0"]}, variants={"exporters": ["dynamo"], "layouts": ["pair"], "require": require})
        (cell,) = project.run().values()
        assert cell["status"] == status


def test_both_environments_of_a_handoff(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY))
    project.configure({"onnxruntime": ["1.17.0"]}, setup="handoff")
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["numpy<2"])


def test_nobody_looks_for_remedies_unasked(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY))
    project.configure({"onnxruntime": ["1.17.0"]})
    for options in (["--no-remedies"], ["--strategy", "pairwise"], ["--budget", "1h"]):
        (cell,) = project.run(*options).values()
        assert (cell["status"], cell["remedies"]) == ("fails", [])
    explained = project.main("explain", "py*").out
    assert "remedy open: no index has answered yet which other versions exist of torch, " in explained
    project.run()
    assert project.main("report").code == 0
    assert project.cells()[cell["id"]]["remedies"] == ["numpy<2"]
    (cell,) = project.run("--no-remedies").values()
    assert (cell["status"], cell["remedies"]) == ("fails", [])


def test_options_of_a_session_may_stand_in_the_matrix(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=unless("run['session'] == {'optimization': 'disabled'}")))
    variants = {"exporters": ["torchscript"], "layouts": ["pair"], "optimizations": ["default", "disabled"]}
    project.configure({"onnxruntime": ["1.17.0"]}, variants=variants)
    (cell,) = project.run("--select", "optimization=*").values()
    assert [(one["optimization"], one["status"]) for one in cell["variants"]] == [("default", "fails"), ("disabled", "works")]
    assert (
        "glyphs in a cell stand for: optimization default, optimization disabled."
        in (project.reports / "matrix.md").read_text()
    )


def test_an_interrupted_search_leaves_a_report_and_goes_on(project):
    gate, there = project.notes / "gate", project.notes / "there"
    waits = f"import os, time\nif run['session']: open({str(there)!r}, 'w')\n"
    waits += f"while run['session'] and not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    project.publish(packages.onnxruntime("1.17.0", on_run=f"{waits}\n{unless(CHANGED)}"))
    project.configure({"onnxruntime": ["1.17.0"]})
    with project.start("run") as child:
        wait_until(there.exists)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "partial report in" in err
    (cell,) = project.cells().values()
    # Another consumer's opinion is known by then; the change that costs less is not.
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["binding ortvalue"])
    gate.touch()
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["optimization extended"])


FROZEN = "raise ValueError('frozen')"
VERSION = "__import__('importlib.metadata').metadata.version"


def remedies_of(cells) -> dict[str, list[list[str]]]:
    """Cell → for each of its variants that fails what mends it."""
    return {name: [one["remedies"] for one in cell["variants"] if one["status"] == "fails"] for name, cell in cells.items()}


def page_and_explain_agree(project: Project) -> None:
    """Every sentence of `explain` about a remedy stands on the page."""
    page = (project.reports / "matrix.md").read_text()
    for name in project.cells():
        told = [line.strip() for line in project.main("explain", name).out.splitlines()]
        for line in told:
            if line.startswith(("mended by", "no remedy found", "remedy open", "not run here")):
                assert f"- {line}" in page


def test_a_remedy_of_one_runtime_does_not_stand_over_another_that_it_does_not_mend(project):
    """Both refuse the IR version; one of them has a fault of its own besides."""
    fused = unless("run['session'].get('optimization') == 'disabled'")
    project.publish(packages.torch("2.6.0", ir=11), packages.onnxruntime("1.17.0", on_run=fused))
    variants = {"exporters": ["torchscript"], "layouts": ["pair"], "ir-versions": ["stamped", 9]}
    project.configure({"torch": ["2.6.0"], "onnxruntime": ["1.16.3", "1.17.0"]}, variants=variants)
    older, newer = project.run().values()
    stamped, broken = older["variants"][0], newer["variants"][0]
    assert (stamped["signature"], stamped["remedies"]) == (broken["signature"], ["ir-version 9"])
    assert broken["remedies"] == [broken["remedy"]] == ["ir-version 9, optimization disabled"]
    assert "ir-version 9: fails at decode" in broken["tried"]
    page = (project.reports / "matrix.md").read_text()
    assert "- mended by ir-version 9 (1 variant: onnxruntime 1.16.3" in page
    assert "- mended by ir-version 9, optimization disabled (1 variant: onnxruntime 1.17.0" in page
    page_and_explain_agree(project)


def test_a_version_that_mends_one_exporter_does_not_stand_over_another_that_fails_with_it(project):
    project.publish(
        packages.torch(on_export=f"if variant['exporter'] == 'torchscript' or {VERSION}('optimum') == '1.26.1': {FROZEN}"),
        package("optimum", "1.26.1"),
        package("optimum", "1.27.0"),
    )
    variants = {"exporters": ["optimum", "torchscript"], "opsets": {"optimum": [17], "torchscript": [17]}, "layouts": ["pair"]}
    project.configure({"optimum": ["1.26.1", "1.27.0"]}, variants=variants)
    older, newer = project.run().values()
    optimum, scripted = older["variants"]
    assert (older["status"], older["remedies"], optimum["remedies"]) == ("fails", ["optimum 1.27.0"], ["optimum 1.27.0"])
    assert (optimum["signature"], scripted["remedies"]) == (scripted["signature"], [])
    assert "optimum 1.27.0: fails at export" in scripted["tried"]
    assert remedies_of({"newer": newer}) == {"newer": [["exporter optimum"]]}
    page_and_explain_agree(project)


def test_another_opset_of_the_very_cell_mends_what_the_matrix_requires_otherwise(project):
    project.publish(
        packages.torch(on_export=f"if variant['opset'] < 14 and {VERSION}('transformers') == '4.45.1': {FROZEN}"),
        packages.transformers("4.44.2"),
        packages.transformers("4.45.1"),
    )
    variants = {"exporters": ["torchscript"], "layouts": ["pair"], "opsets": {"torchscript": [12, 13, 14]}}
    project.configure({"transformers": ["4.44.2", "4.45.1"]}, variants={**variants, "require": "opset=13"})
    _, cell = project.run().values()
    assert [one["remedy"] for one in cell["variants"]] == ["opset 14", "opset 14", None]
    # What is required is not changed away: for the cell it is another version.
    assert (cell["status"], cell["remedies"]) == ("fails", ["transformers 4.44.2"])
    assert [one["remedies"] for one in cell["variants"]] == [["opset 14", "transformers 4.44.2"]] * 2 + [[]]
    page_and_explain_agree(project)


def test_a_patch_release_in_the_matrix_goes_before_another_exporter(project):
    project.publish(
        packages.torch(on_export=f"if variant['exporter'] == 'optimum' and {VERSION}('optimum-onnx') == '0.0.1': {FROZEN}"),
        *(package("optimum_onnx", version) for version in ("0.0.1", "0.0.2", "0.0.3")),
    )
    variants = {"exporters": ["optimum"], "opsets": {"optimum": [18]}, "layouts": ["pair"]}
    project.configure({"optimum-onnx": ["0.0.1", "0.0.2", "0.0.3"]}, variants=variants)
    cell, *_ = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("fails", ["optimum-onnx 0.0.2"])
    assert cell["variants"][0]["remedies"] == ["optimum-onnx 0.0.2 (also 0.0.3)"]
    page_and_explain_agree(project)


def test_what_mends_the_same_failure_elsewhere_is_a_hint_and_no_remedy(project):
    versions = [f"1.{minor}.0" for minor in (17, 18)]
    late = "if 'merged' in run['id'] and '-14-' not in run['id']: raise RuntimeError('no')"
    project.publish(*(packages.onnxruntime(version, on_run=late) for version in versions))
    project.configure(
        {"onnxruntime": versions}, variants={"exporters": ["torchscript"], "layouts": ["merged", "no-cache"], "require": "any"}
    )
    first, second = project.run().values()
    assert first["variants"][0]["remedies"] == ["opset 14", "layout no-cache"]
    assert second["variants"][0]["remedies"] == ["layout no-cache"]
    page_and_explain_agree(project)


def test_what_mends_the_same_failure_elsewhere_and_fails_in_the_very_cell_is_no_hint(project):
    frozen = f"if variant['exporter'] == 'optimum': {FROZEN}"
    project.publish(
        packages.torch("2.6.0", on_export=f"{frozen}\nraise ValueError('another')"),
        packages.torch("2.9.1", on_export=frozen),
        package("optimum", "1.26.1"),
    )
    variants = {"exporters": ["optimum", "torchscript"], "opsets": {"optimum": [17], "torchscript": [17]}, "layouts": ["pair"]}
    project.configure({"torch": ["2.6.0", "2.9.1"], "optimum": ["1.26.1"]}, variants=variants)
    older, newer = project.run().values()
    assert newer["variants"][0]["remedies"] == ["exporter torchscript"]
    assert older["variants"][0]["signature"] == newer["variants"][0]["signature"]
    assert "exporter torchscript: fails at export" in older["variants"][0]["tried"]
    told = project.main("explain", older["id"]).out
    assert "not run here" not in told
    page_and_explain_agree(project)


def test_of_one_import_the_variants_that_were_not_run_with_its_remedy_say_so(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    (cell,) = project.run().values()
    told = project.main("explain", cell["id"]).out
    assert f"not run here: numpy<2, which mends the same failure in {cell['id']}" in told
    assert "not looked for" not in told
    page_and_explain_agree(project)


@pytest.mark.parametrize("environment", ["together", "handoff"])
def test_what_is_missing_is_added_where_it_is_missing(project, environment):
    """For an export: a distribution of the field. For a run: what a distribution of the lock names as optional."""
    project.publish(
        packages.torch("2.6.0", on_export="import sentencepiece"),
        packages.onnxruntime("1.17.0", on_import="import coloredlogs", requires=("numpy", "coloredlogs; extra == 'logs'")),
        package("sentencepiece", "0.2.0"),
        package("coloredlogs", "15.0"),
    )
    project.configure({"torch": ["2.1.0", "2.6.0"], "onnxruntime": ["1.16.3", "1.17.0"]}, setup=environment)
    cells = {(cell["pins"]["torch"], cell["pins"]["onnxruntime"]): cell for cell in project.run().values()}
    # Beside torch the runtime is imported before anything is exported.
    both = "coloredlogs, sentencepiece" if environment == "together" else "sentencepiece, coloredlogs"
    assert {name: (cell["status"], cell["remedies"]) for name, cell in cells.items()} == {
        ("2.1.0", "1.16.3"): ("works", []),
        ("2.6.0", "1.16.3"): ("works-with-remedy", ["sentencepiece"]),
        ("2.1.0", "1.17.0"): ("works-with-remedy", ["coloredlogs"]),
        ("2.6.0", "1.17.0"): ("works-with-remedy", [both]),
    }
    assert cells["2.6.0", "1.16.3"]["variants"][0]["missing"] == "sentencepiece"
    assert "- mended by sentencepiece" in (project.reports / "matrix.md").read_text()
    page_and_explain_agree(project)


@pytest.mark.parametrize("module", ["typosquat", "sentencepiece"])
def test_what_nobody_vouches_for_or_publishes_is_named_and_not_added(project, module):
    published = [package("typosquat", "1.0", on_import="raise SystemExit('installed')")]
    project.publish(*published)
    cell, variant = on(project, packages.torch("2.6.0", on_export=f"import {module}"), torch="2.6.0")
    assert (cell["status"], variant["missing"], variant["remedies"]) == ("fails", module, [])
    assert not [text for text in variant["tried"] if module in text]
    assert f"the module {module} is missing" in project.main("explain", cell["id"]).out
    page_and_explain_agree(project)


def test_where_a_module_is_missing_no_version_of_another_distribution_is_suspected(project):
    project.publish(
        *(package("vector", version) for version in ("1.0", "2.0")),
        packages.torch("2.6.0", on_export="import absent", requires=("vector", "numpy")),
        packages.torch("2.7.0", requires=("vector<2", "numpy")),
    )
    project.configure({"torch": ["2.6.0", "2.7.0"]})
    cell, _ = project.run().values()
    assert cell["remedies"] == ["torch 2.7.0"]
    assert not [text for text in cell["variants"][0]["tried"] if "vector" in text]
