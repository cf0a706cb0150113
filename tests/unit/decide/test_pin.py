"""What a pin holds of where its files come from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from values import PYTHON

from harness.decide import pin
from harness.environments.interface import FailureType, ProviderFailure
from harness.locked import Lock, LockedDistribution

HASH = "0" * 64
PYLOCK = f"""lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "torch"
version = "2.1.0"
index = "https://user:s3kr3t@index.example/simple?jwt=s3kr3t"
wheels = [{{ name = "torch-2.1.0-py3-none-any.whl", url = "https://files.example/torch-2.1.0-py3-none-any.whl?X=s3kr3t&Y=s3kr3t", hashes = {{ sha256 = "{HASH}" }} }}]
"""  # noqa: E501 -- as uv writes it


def test_an_index_that_does_not_answer_proves_nothing():
    def silent(*_arguments):
        raise ProviderFailure(FailureType.INFRASTRUCTURE, "it is away")

    session: Any = SimpleNamespace(uv=SimpleNamespace(pylock=silent))
    with pytest.raises(pin.PinError, match=r"no pylock\.toml can be written: it is away") as refused:
        pin._pylock(session, Lock(distributions=()), PYTHON)
    assert refused.value.exit_code == 3


def test_no_secret_of_a_url_is_in_the_pylock():
    session: Any = SimpleNamespace(uv=SimpleNamespace(pylock=lambda _lock, _python: PYLOCK))
    lock = Lock(distributions=(LockedDistribution(name="torch", version="2.1.0", hashes=(f"sha256:{HASH}",)),))
    written = pin._pylock(session, lock, PYTHON)
    assert "s3kr3t" not in written
    assert 'index = "https://index.example/simple"' in written
    assert 'url = "https://files.example/torch-2.1.0-py3-none-any.whl", hashes' in written
