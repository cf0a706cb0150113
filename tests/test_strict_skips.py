"""A skip in CI is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "test_marked.py": "import pytest\n\n\n@pytest.mark.skip(reason='not here')\ndef test_it(): ...\n",
    "test_inside.py": "import pytest\n\n\ndef test_it():\n    pytest.importorskip('nonesuch')\n",
    "test_whole.py": "import pytest\n\npytest.importorskip('nonesuch')\n",
    "test_fixture.py": "import pytest\n\n\n@pytest.fixture\ndef it():\n    pytest.skip('not here')\n\n\ndef test_it(it): ...\n",
}
FINE = "import pytest\n\n\ndef test_it(): ...\n\n\n@pytest.mark.xfail\ndef test_known():\n    raise ValueError\n"


BROWSER = "import pytest\n\n\n@pytest.mark.browser\ndef test_it():\n    pytest.skip('no browser')\n"


def run(folder: Path, *options: str, ci: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "strict_skips", "-rA", *options]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ.pop("CI", None)
    environ |= {"CI": ci} if ci else {}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {**SKIPS, "test_fine.py": FINE}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_would_be_skipped_fails_and_says_why(folder):
    ended = run(folder, "--strict-skips", "--continue-on-collection-errors")
    assert ended.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed, 3 errors" in ended.stdout
    assert "test_marked.py::test_it would be skipped, and --strict-skips is set: Skipped: not here" in ended.stdout
    assert "test_whole.py would be skipped, and --strict-skips is set: " in ended.stdout
    assert "could not import 'nonesuch'" in ended.stdout


def test_otherwise_it_is_skipped(folder):
    ended = run(folder)
    assert ended.returncode == 0
    assert "1 passed, 4 skipped, 1 xfailed" in ended.stdout


def test_what_is_left_out_by_a_mark_is_not_skipped(folder):
    assert run(folder, "--strict-skips", "test_fine.py", "-k", "test_it").returncode == 0


def test_a_browser_may_be_missing_but_not_in_ci(tmp_path):
    (tmp_path / "test_browser.py").write_text(BROWSER)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    assert "1 skipped" in run(tmp_path, "--strict-skips").stdout
    assert "1 failed" in run(tmp_path, "--strict-skips", ci="true").stdout


@pytest.mark.parametrize(("program", "outcome"), [("no-such-program", "1 skipped"), (sys.executable, "1 failed")])
def test_a_program_may_be_missing(tmp_path, program, outcome):
    test = f"@pytest.mark.programs({sys.executable!r}, {program!r})\ndef test_it():\n    pytest.skip('no program')\n"
    (tmp_path / "test_program.py").write_text(f"import pytest\n\n\n{test}")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = programs\n")
    assert outcome in run(tmp_path, "--strict-skips", ci="true").stdout


def test_a_kernel_may_lack_what_a_test_needs_everywhere(tmp_path):
    text = "import pytest\n\n\n@pytest.mark.kernel\n@pytest.mark.skipif(True, reason='no Landlock')\ndef test_it(): ...\n"
    (tmp_path / "test_kernel.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = kernel\n")
    for ci in (None, "1"):
        assert "1 skipped" in run(tmp_path, "--strict-skips", ci=ci).stdout
