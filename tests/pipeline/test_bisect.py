"""`bisect`: which release broke it, from two files or two versions."""

from __future__ import annotations

import dataclasses
import json

import http_index
import packages
import pytest
from project import Project

from harness.environments.uv.client import Uv

pytestmark = pytest.mark.usefixtures("installed_once")

NEEDS_NUMPY_1 = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""
MINORS = range(47, 56)
FOUR = "torch==2.1.0\ntransformers==4.46.0\nonnx==1.16.2\nonnxruntime==1.16.3\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Project:
    """transformers 4.46 to 4.55: 4.50 cannot be resolved, 4.51 breaks; numpy 2 breaks onnxruntime 1.17."""
    made = Project.working(tmp_path_factory.mktemp("bisect"))
    made.publish(packages.transformers("4.46.0"))
    for minor in MINORS:
        breaks = packages.raises("ImportError('late')") if minor > 50 else ""
        requires = ("tokenizers>9",) if minor == 50 else ("tokenizers",)
        made.publish(packages.transformers(f"4.{minor}.0", on_import=breaks, requires=requires))
    made.publish(packages.onnxruntime("1.17.0", on_import=NEEDS_NUMPY_1), packages.package("numpy", "1.27.0"))
    made.publish(packages.package("numpy", "2.0.0"), packages.onnx("1.17.0"), packages.onnx("1.18.0"))
    return made


def found(project: Project, *arguments: str, code: int = 0):
    answer = project.main("bisect", "--quiet", "--format", "json", *arguments)
    assert answer.code == code, answer.err + answer.out
    return json.loads(answer.out)


def written(project: Project, name: str, text: str) -> str:
    path = project.root / name
    path.write_text(text)
    return str(path)


def suspects(told) -> list[str]:
    return [f"{one['name']} {one['version']}" for one in told["suspects"]]


@pytest.mark.parametrize(
    ("jobs", "probes"),
    [
        ("1", 6),  # 4 bits, and two for what was skipped and its neighbour
        ("2", 4),  # two rounds of two, each of which leaves a third
    ],
)
def test_the_first_release_that_breaks_or_what_cannot_be_told_from_it(shared, jobs, probes):
    base = written(shared, "base.txt", FOUR)
    ends = ("--axis", "transformers", "--good", "4.46.0", "--bad", "4.55.0")
    told = found(shared, *ends, "--from", base, "--jobs", jobs)
    assert suspects(told) == ["transformers 4.50.0", "transformers 4.51.0"]
    assert [one["version"] for one in told["skipped"]] == ["4.50.0"]
    assert told["last_good"]["pins"]["transformers"] == "4.49.0"
    assert told["first_bad"]["pins"]["transformers"] == "4.51.0"
    assert told["lost"][0]["stage"] == "import"
    assert told["lost"][0]["message"].endswith("ImportError: late")
    assert (told["releases"], told["probes"]) == (10, probes)
    assert (told["good"]["status"], told["bad"]["status"]) == ("works", "fails")


def test_going_back_can_break_too(shared):
    base = written(shared, "base.txt", FOUR)
    args = ["--axis", "numpy", "--good", "1.27.0", "--bad", "2.1.0", "--from", base, "--with", "onnxruntime==1.17.0"]
    assert suspects(found(shared, *args)) == ["numpy 2.0.0"]
    shared.publish(packages.onnx("1.15.0", on_import=packages.raises("ImportError('old')")))
    backwards = found(shared, "--axis", "onnx", "--good", "1.18.0", "--bad", "1.15.0", "--from", base)
    assert suspects(backwards) == ["onnx 1.15.0"]
    assert backwards["last_good"]["pins"]["onnx"] == "1.16.2"
    assert backwards["mended_in"] == [{"name": "onnx", "version": "1.16.2", "date": None}]
    assert found(shared, *args)["mended_in"] == []
    text = shared.main("bisect", "--quiet", "--axis", "onnx", "--good", "1.18.0", "--bad", "1.15.0", "--from", base).out
    assert text.splitlines()[0] == "mended in onnx 1.16.2; onnx 1.15.0 still breaks"


def test_going_back_what_could_not_be_tried_may_have_mended_it_too(project):
    """4.47 breaks, 4.48 does not resolve, 4.49 works."""
    project.publish(
        packages.transformers("4.47.0", on_import=packages.raises("ImportError('early')")),
        packages.transformers("4.48.0", requires=("tokenizers>9",)),
        packages.transformers("4.49.0"),
    )
    told = found(project, "--axis", "transformers", "--good", "4.49.0", "--bad", "4.47.0")
    assert [one["version"] for one in told["mended_in"]] == ["4.49.0", "4.48.0"]
    text = project.main("bisect", "--quiet", "--axis", "transformers", "--good", "4.49.0", "--bad", "4.47.0").out
    assert text.splitlines()[0] == (
        "mended in one of transformers 4.49.0, transformers 4.48.0; "
        "transformers 4.47.0 still breaks, the others could not be tried"
    )


def test_of_two_files_the_package_that_alone_breaks_it_is_searched_first(shared):
    good = written(shared, "good.txt", FOUR.replace("4.46.0", "4.48.0"))
    bad = written(shared, "bad.txt", FOUR.replace("4.46.0", "4.55.0").replace("1.16.2", "1.18.0"))
    told = found(shared, "--good", good, "--bad", bad)
    assert suspects(told) == ["transformers 4.50.0", "transformers 4.51.0"]
    assert told["first_bad"]["pins"]["onnx"] == "1.16.2"
    assert told["how"] == [
        "transformers alone breaks it: its releases were searched, with all else as in the good set",
        "yanked releases were not searched, nor were pre-releases",
    ]


def test_what_is_on_no_axis_is_searched_as_well(shared):
    good = written(shared, "good.txt", FOUR.replace("1.16.3", "1.17.0") + "numpy==1.26.4\n")
    bad = written(shared, "bad.txt", FOUR.replace("1.16.3", "1.17.0").replace("1.16.2", "1.18.0") + "numpy==2.1.0\n")
    told = found(shared, "--good", good, "--bad", bad)
    assert suspects(told) == ["numpy 2.0.0"]  # and not 2.1.0, to which the files jump
    assert told["last_good"]["resolved"]["numpy"] == "1.27.0"
    assert told["how"][0] == "onnx alone does not break it, or not in this way: all that differs was searched"
    assert "no dates" in told["how"][1]


def test_what_a_file_leaves_open_is_what_the_resolver_made_of_it(shared):
    good = written(shared, "good.txt", FOUR.replace("1.16.3", "1.17.0") + "numpy<2\n")
    bad = written(shared, "bad.txt", FOUR.replace("1.16.3", "1.17.0"))
    assert suspects(found(shared, "--good", good, "--bad", bad)) == ["numpy 2.0.0"]


def test_with_dates_releases_are_one_history(shared, monkeypatch):
    import datetime as dt

    days = {"4.47.0": 1, "4.48.0": 3, "4.49.0": 5, "1.17.0": 2, "1.18.0": 4}
    only_both = """
        import importlib.metadata
        if importlib.metadata.version("onnx") == "1.19.0" and importlib.metadata.version("transformers") >= "4.48":
            raise ImportError("not together")
    """
    shared.publish(packages.onnx("1.19.0", on_import=only_both))
    monkeypatch.setattr(
        Uv, "released", lambda _uv, _name, version, _python: dt.datetime(2026, 1, days.get(version, 6), tzinfo=dt.UTC)
    )
    good = written(shared, "good.txt", FOUR)
    bad = written(shared, "bad.txt", FOUR.replace("4.46.0", "4.49.0").replace("1.16.2", "1.19.0"))
    told = found(shared, "--good", good, "--bad", bad)
    assert told["suspects"] == [{"name": "onnx", "version": "1.19.0", "date": "2026-01-06"}]
    assert told["last_good"]["pins"] | {"transformers": "4.49.0", "onnx": "1.18.0"} == told["last_good"]["pins"]
    assert told["releases"] == 7  # 4.46.3, 4.47, 4.48, 4.49; 1.17, 1.18, 1.19


def test_that_the_bad_end_fails_of_something_else_is_told(project):
    for minor, why in {47: "", 48: "early", 49: "early", 50: "late"}.items():
        project.publish(
            packages.transformers(f"4.{minor}.0", on_import=packages.raises(f"ImportError('{why}')") if why else "")
        )
    told = found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.50.0")
    assert suspects(told) == ["transformers 4.48.0"]
    assert told["lost"][0]["message"].endswith("early")
    assert told["otherwise"][0]["message"].endswith("late")


@pytest.mark.parametrize(("jobs", "meets_it"), [("1", True), ("2", False), ("3", True)])
def test_a_release_that_fails_in_another_way_between_two_that_work_is_not_the_answer(project, jobs, meets_it):
    for minor, why in {47: "", 48: "early", 49: "", 50: "late", 51: "late"}.items():
        project.publish(
            packages.transformers(f"4.{minor}.0", on_import=packages.raises(f"ImportError('{why}')") if why else "")
        )
    told = found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.51.0", "--jobs", jobs)
    assert suspects(told) == ["transformers 4.50.0"]
    assert told["last_good"]["pins"]["transformers"] == "4.49.0"
    assert (told["lost"][0]["message"].endswith("late"), told["otherwise"]) == (True, [])
    assert any("4.48.0 breaks too, but in another way" in line for line in told["how"]) is meets_it


def test_a_folder_with_the_name_of_a_version_is_no_set(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.publish(packages.transformers("4.47.0", on_import=packages.raises("ImportError('late')")))
    (project.root / "4.46.3").mkdir()
    assert suspects(found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.47.0")) == ["transformers 4.47.0"]


def test_an_error_on_the_way_is_told_from_a_fact(project):
    for version, source in {"4.47.0": "", "4.48.0": packages.KILLED, "4.49.0": packages.raises("ImportError('late')")}.items():
        project.publish(packages.transformers(version, on_import=source))
    told = found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.49.0", code=3)
    assert suspects(told) == ["transformers 4.48.0", "transformers 4.49.0"]
    assert project.main("bisect", "--axis", "transformers", "--good", "4.46.3", "--bad", "4.48.0").code == 3


def test_what_an_index_does_not_offer_is_named(project):
    """4.47 broke it, and was yanked; the release candidate of 4.48 broke it too."""
    broken = packages.raises("ImportError('late')")
    for version in ("4.47.0", "4.48.0rc1", "4.48.0"):
        project.publish(packages.transformers(version, on_import=broken))
    with http_index.serving(project.index) as index:
        index.yanked.add("transformers-4.47.0-py3-none-any.whl")
        project.configure(uv={"default-index": index.url, "torch-backend": "default"})
        told = found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.48.0")
        earlier = found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.48.0rc1")
    assert (suspects(told), told["releases"]) == (["transformers 4.48.0"], 1)
    assert told["how"] == ["yanked releases were not searched, nor were pre-releases"]
    assert (suspects(earlier), earlier["how"]) == (["transformers 4.48.0rc1"], ["yanked releases were not searched"])


def test_the_answer_in_words(shared):
    answer = shared.main("bisect", "--axis", "numpy", "--good", "1.27.0", "--bad", "2.0.0", "--with", "onnxruntime==1.17.0")
    assert answer.code == 0
    first, *rest = answer.out.splitlines()
    assert first == "numpy 2.0.0 is the first that breaks"
    assert "torchscript opset 17 pair: fails at import:" in rest[0]
    assert "0 probes among 1 release, both ends confirmed" in answer.out
    markdown = shared.main(
        "bisect",
        "--axis",
        "numpy",
        "--good",
        "1.27.0",
        "--bad",
        "2.0.0",
        "--with",
        "onnxruntime==1.17.0",
        "--format",
        "markdown",
    )
    assert markdown.out.startswith("# numpy 2.0.0 is the first that breaks\n\n- torchscript opset 17 pair: fails at import")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--good", "4.46.0", "--bad", "4.55.0"],
            "--good 4.46.0: no such file; for a version name the distribution with --axis",
        ),
        (["--axis", "transformers", "--good", "4.46.0", "--bad", "4.47.0"], "the bad end works as well"),
        (
            ["--axis", "transformers", "--good", "4.55.0", "--bad", "4.46.0"],
            "the good end does not work: torchscript opset 17 pair",
        ),
        (["--axis", "transformers", "--good", "4.46.0", "--bad", "4.46.0"], "the bad end works as well"),
        (["--axis", "transformers", "--good", "4.46.0", "--bad", "9.9"], "transformers 9.9 is not published"),
        (
            ["--axis", "transformers", "--good", "four", "--bad", "9.9"],
            "--good four: neither a file nor a version of",
        ),
        (["--axis", "transfomers", "--good", "4.46.0", "--bad", "4.47.0"], "needs transfomers; did you mean 'transformers'?"),
        (["--axis", "python", "--good", "3.10", "--bad", "3.11"], "the Python of a set is chosen with --python"),
        (["--axis", "transformers", "--bad", "9.9"], "--good"),
    ],
)
def test_bad_input(shared, arguments, said):
    answer = shared.main("bisect", "--quiet", *arguments)
    assert answer.code == 2, answer.out
    assert said in " ".join(answer.err.split())


INT64, INT8 = (packages.raises(f"TypeError('no kernel for {kind} here')") for kind in ("int64", "int8"))


def test_another_type_in_the_same_words_is_another_failure(project):
    """4.47 fails of int64, 4.48 and 4.49 work, 4.50 fails of int8."""
    project.publish(packages.transformers("4.47.0", eager=INT64), packages.transformers("4.50.0", eager=INT8))
    project.publish(packages.transformers("4.48.0"), packages.transformers("4.49.0"))
    base = written(project, "base.txt", FOUR.replace("4.46.0", "4.46.3"))
    told = found(project, "--axis", "transformers", "--good", "4.46.3", "--bad", "4.50.0", "--from", base)
    assert suspects(told) == ["transformers 4.50.0"]
    assert told["lost"][0]["message"] == "no kernel for int8 here"


def test_a_pin_beside_the_axes_is_adapted_to_a_version_that_is_named(project):
    """A frozen file: 4.48 needs newer tokenizers, with which it works; of 4.49 it is known that it breaks."""
    broken = packages.raises("ImportError('late')")
    project.publish(
        packages.package("tokenizers", "0.21.0"),
        packages.transformers("4.47.0"),
        packages.transformers("4.48.0", requires=("tokenizers>=0.21",)),
        packages.transformers("4.49.0", requires=("tokenizers>=0.21",), on_import=broken),
    )
    base = written(project, "frozen.txt", FOUR.replace("4.46.0", "4.46.3") + "tokenizers==0.20.3\n")
    ends = ("--axis", "transformers", "--good", "4.46.3", "--from", base)
    answer = project.main("bisect", "--quiet", *ends, "--bad", "4.48.0")
    assert answer.code == 2, answer.out
    said = "nothing to search; it is transformers 4.48.0, with tokenizers 0.20.3 → 0.21.0"
    assert said in " ".join(answer.err.split())
    told = found(project, *ends, "--bad", "4.49.0")
    assert suspects(told) == ["transformers 4.49.0"]
    assert told["bad"]["resolved"]["tokenizers"] == told["last_good"]["resolved"]["tokenizers"] == "0.21.0"


def test_no_release_is_blamed_for_an_extra_or_a_pin_that_one_end_has(project):
    breaks = """
        import importlib.util
        if importlib.util.find_spec("plugin"):
            raise ImportError("plugin is too old")
    """
    needs = ("tokenizers", "plugin ; extra == 'x'")
    project.publish(packages.package("plugin", "1.0"), packages.package("tokenizers", "0.21.0"))
    for version in ("4.47.0", "4.48.0"):
        project.publish(dataclasses.replace(packages.transformers(version, on_import=breaks), requires=needs))
    project.publish(packages.transformers("4.49.0", requires=("tokenizers>=0.21",)))
    good = written(project, "good.txt", FOUR.replace("4.46.0", "4.47.0") + "tokenizers==0.20.3\n")
    extra = FOUR.replace("transformers==4.46.0", "transformers[x]==4.48.0") + "tokenizers==0.20.3\n"
    pin = FOUR.replace("4.46.0", "4.49.0") + "tokenizers==0.20.3\n"
    # Without the extra a release breaks it too.
    late = breaks + '    raise ImportError("late")\n'
    project.publish(dataclasses.replace(packages.transformers("4.50.0", on_import=late), requires=needs))
    other = written(project, "bad.txt", extra.replace("4.48.0", "4.50.0"))
    unknown = project.main("bisect", "--quiet", "--good", good, "--bad", other)
    assert unknown.code == 3, unknown.err
    words = "UNKNOWN: the good set with all releases of the bad one fails in another way, but for transformers[x] instead of "
    assert unknown.out.startswith(f"{words}transformers: torchscript opset 17 pair fails at import: ")
    assert unknown.out.splitlines()[0].endswith("late")
    for text, said in ((extra, "transformers[x] instead of transformers"), (pin, "tokenizers 0.20.3 instead of 0.21.0")):
        answer = project.main("bisect", "--quiet", "--good", good, "--bad", written(project, "bad.txt", text))
        assert answer.code == 2, answer.out
        words = "no release breaks it: the good set with all releases of the bad one works, but for "
        assert f"{words}{said}" in " ".join(answer.err.split())
