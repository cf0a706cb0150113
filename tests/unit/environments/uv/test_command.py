"""One call of uv: how its end is understood."""

from __future__ import annotations

import pytest

from harness import disk_space
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.uv import command
from harness.subprocesses import Supervisor


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("end", ["kill -6 $$", "exit 2"])
def test_a_uv_that_ends_without_a_word_on_a_full_disk(tmp_path, monkeypatch, end, full):
    fake = tmp_path / "uv"
    fake.write_text(f"#!/bin/sh\n{end}\n")
    fake.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(disk_space, "nearly_full", lambda _folder: full)
    with pytest.raises(ProviderFailure) as raised:
        command.call(str(fake), ["pip", "compile"], tmp_path, Supervisor(), seconds=10)
    assert disk_space.says_full(str(raised.value)) is full
    assert raised.value.type is FailureType.INFRASTRUCTURE
