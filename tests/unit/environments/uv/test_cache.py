"""uv's cache: which wheel stands for a locked distribution."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import PYTHON

from harness.environments.uv.cache import Wheels
from harness.locked import LockedDistribution

NUMPY = LockedDistribution(name="numpy", version="1.26.4", hashes=("sha256:" + "a" * 64, "sha256:" + "b" * 64))


def hold(cache: Path, tag: str, digest: str, *, bucket: str = "wheels-v8/pypi", version: str = "1.26.4") -> Path:
    """Put a wheel into a cache; returns its archive."""
    archive, place = cache / "archive-v0" / f"{tag}{digest}", cache / bucket / "numpy"
    archive.mkdir(parents=True)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{version}-{tag}").symlink_to(archive)
    content = b"\x93\xd9\x40" + digest.encode() * 64 + b"\xd9\x2d" + f"numpy-{version}-{tag}.whl\0".encode()
    (place / f"{version}-{tag}.http").write_bytes(content)
    return archive


@pytest.mark.parametrize("bucket", ["wheels-v8/pypi", "wheels-v8/index/0123456789abcdef"])
def test_a_wheel_of_the_lock(tmp_path, bucket):
    archive = hold(tmp_path, "cp311-cp311-manylinux_2_17_x86_64", "a", bucket=bucket)
    assert Wheels(tmp_path).archive(NUMPY, PYTHON) == archive
    assert Wheels(tmp_path).archives("numpy") == {archive}


@pytest.mark.parametrize(
    "other",
    [
        {"tag": "cp310-cp310-manylinux_2_17_x86_64", "digest": "a"},
        {"tag": "py3-none-any", "digest": "c"},
        {"tag": "py3-none-any", "digest": "a", "version": "1.26.40"},
        {"tag": "py3-none-any", "digest": "a", "bucket": "wheels-v7/pypi"},
    ],
    ids=["of another Python", "of another hash", "of another version", "in a bucket that uv no longer reads"],
)
def test_another_wheel(tmp_path, other):
    (tmp_path / "wheels-v8").mkdir()
    hold(tmp_path, **other)
    assert Wheels(tmp_path).archive(NUMPY, PYTHON) is None


def test_a_pointer_without_its_archive(tmp_path):
    hold(tmp_path, "py3-none-any", "a").rmdir()
    assert Wheels(tmp_path).archive(NUMPY, PYTHON) is None
    assert Wheels(tmp_path).archives("numpy") == set()


def test_no_cache(tmp_path):
    assert Wheels(tmp_path / "none").archive(NUMPY, PYTHON) is None
