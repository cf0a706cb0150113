"""Releases that pip or uv does not find, against cells that work."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import report, reported_cell

from harness.decide.missing_releases import MissingReason, missing_releases
from harness.published_reports import Published

PUBLISHED = Published(
    name="matrix",
    path=Path("matrix.json"),
    report=report(reported_cell(onnxruntime="1.16.3", python="3.11"), reported_cell(onnxruntime="1.18.1", python="3.12")),
)
OFFERED = "Could not find a version that satisfies the requirement onnxruntime==1.16.3 (from versions: 1.17.0, 1.18.1)"
NO_TAG = "Because onnxruntime==1.16.3 has no wheels with a matching Python ABI tag (e.g., `cp312`) and you require"
HINT = "You're on macOS (`macosx_15_0_x86_64`), but `onnxruntime` (v1.16.3) only has wheels for the following platform: `win32`"
NO_PLATFORM = (
    "Because onnxruntime==1.16.3 has no wheels with a matching platform tag (e.g., `macosx_10_16_x86_64`) and you require"
)


@pytest.mark.parametrize(("text", "offered"), [(OFFERED, 2), (NO_TAG, 0), (NO_PLATFORM, 0), (HINT, 0)])
def test_a_release_without_a_wheel_is_held_against_the_pythons_with_which_it_works(text, offered):
    (missing,) = missing_releases(text + "\n" + text, [PUBLISHED])
    assert (missing.package, missing.version, missing.pythons) == ("onnxruntime", "1.16.3", {"3.11": 1})
    assert (len(missing.offered), missing.working) == (offered, {"1.18.1": 1} if offered else {})
    assert missing.reason is (MissingReason.NOT_FOUND if text == OFFERED else MissingReason.NO_WHEEL)


PIP_NONE = "ERROR: Could not find a version that satisfies the requirement onnxruntime (from versions: none)"
UV_ALL = "Because all versions of onnxruntime have no wheels with a matching Python ABI tag (e.g., `cp314`) and you require"
PIP_CONFLICT = """Additionally, some packages in these conflicts have no matching distributions available for your environment:
    onnxruntime

To fix this you could try to:
"""


@pytest.mark.parametrize("text", [PIP_NONE, UV_ALL, PIP_CONFLICT])
def test_all_releases_may_lack_a_wheel(text):
    (missing,) = missing_releases(text, [PUBLISHED])
    assert (missing.package, missing.version) == ("onnxruntime", None)
    assert missing.reason is (MissingReason.NO_WHEEL if text == UV_ALL else MissingReason.NOT_FOUND)
    assert (missing.pythons, missing.offered) == ({"3.12": 1, "3.11": 1}, ())


def test_what_pip_adds_to_a_requirement_is_read_over():
    for named in ("onnxruntime[extra]==1.16.3", "onnxruntime==1.16.3 (from optimum)"):
        (missing,) = missing_releases(f"that satisfies the requirement {named} (from versions: 1.18.1+cpu)", [PUBLISHED])
        assert (missing.package, missing.version, missing.working) == ("onnxruntime", "1.16.3", {"1.18.1": 1})


def test_where_the_index_was_not_reached_nothing_is_missing():
    retrying = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'\n"
    assert missing_releases(retrying + PIP_NONE, [PUBLISHED]) == []
    assert len(missing_releases(retrying + OFFERED, [PUBLISHED])) == 1, "then it was reached"


def test_a_cutoff_is_noted_and_a_list_is_kept():
    absent = "there is no version of onnxruntime==1.16.3\nhint: `onnxruntime` was filtered by `exclude-newer`"
    assert [missing.cutoff for missing in missing_releases(absent, [])] == [True]
    (missing,) = missing_releases(f"{OFFERED}\n{OFFERED.replace('1.17.0, 1.18.1', 'none')}", [])
    assert missing.offered == ("1.17.0", "1.18.1")


def test_pip_lists_one_name_in_each_line():
    text = PIP_CONFLICT.replace("onnxruntime\n", "onnxruntime\n    piper-phonemize\n")
    assert [missing.package for missing in missing_releases(text, [])] == ["onnxruntime", "piper-phonemize"]
    assert missing_releases(text.replace("environment:\n", "environment:\n\n"), []) == []


@pytest.mark.parametrize(
    "text",
    [
        "Because there is no version of onnxruntime==1.16.3 and you require onnxruntime==1.16.3, we can conclude",
        "Because there are no versions of onnxruntime==1.16.3.",
        "there is no version of onnxruntime{platform_machine == 'x86_64' and sys_platform ==\n 'linux'}==1.16.3 and",
        "there is no version of onnxruntime[extra]==1.16.3 and you require",
    ],
)
def test_a_release_that_the_index_has_not_is_held_against_the_cells_that_have_it(text):
    (missing,) = missing_releases(text, [PUBLISHED])
    assert (missing.package, missing.version, missing.reason) == ("onnxruntime", "1.16.3", MissingReason.ABSENT)
    assert missing.pythons == {"3.11": 1}


def test_a_build_is_not_held_against_cells_with_another_one():
    (missing,) = missing_releases("there is no version of onnxruntime==1.16.3+cpu and you require", [PUBLISHED])
    assert (missing.version, missing.pythons) == ("1.16.3+cpu", {})


@pytest.mark.parametrize(
    "text",
    [
        "Collecting onnxruntime==1.16.3\nNo matching distribution found for x (from versions: none)",
        "Because there is no version of onnxruntime>=3 and you require onnxruntime>=3, we can conclude",
        "Because there is no version of onnxruntime==1.* and you require onnxruntime==1.*",
        "the requirement onnxruntime==../../x (from versions: none)",
    ],
)
def test_what_names_no_release_is_none(text):
    assert missing_releases(text, [PUBLISHED]) == []
