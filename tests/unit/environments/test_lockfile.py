"""What uv wrote → Lock → what uv installs."""

from __future__ import annotations

from harness.environments.lockfile import PublishedVersion, lock_text, parse_lock, parse_published
from harness.locked import Lock, LockedDistribution

TEXT = """numpy==1.26.4 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via
    #   -r cell.in
    #   onnxruntime
    #   torch
onnxruntime==1.16.3 \\
    --hash=sha256:cc
    # via -r cell.in
Protobuf==4.25.1 \\
    --hash=sha256:dd
    # via onnxruntime
torch==2.1.2+cpu ; python_version >= "3.8" \\
    --hash=sha256:ee
    # via
    #   -r cell.in
    #   transformers[torch]
"""


def test_names_versions_hashes_and_who_requires_what():
    lock = parse_lock(TEXT)
    assert lock.versions == {"numpy": "1.26.4", "onnxruntime": "1.16.3", "protobuf": "4.25.1", "torch": "2.1.2+cpu"}
    numpy, runtime, protobuf, torch = lock.distributions
    assert numpy.hashes == ("sha256:aa", "sha256:bb")
    assert numpy.via == ("onnxruntime", "torch")
    assert runtime.via == ()
    assert protobuf.via == ("onnxruntime",)
    assert torch.via == ("transformers",)


def test_an_empty_file_is_an_empty_lock():
    assert parse_lock("# nothing\n\n") == Lock(distributions=())


def test_what_is_written_reads_the_same():
    lock = Lock(
        distributions=(
            LockedDistribution(name="a", version="1", hashes=("sha256:1",)),
            LockedDistribution(name="b", version="2.0"),
        )
    )
    assert lock_text(lock) == "a==1 \\\n    --hash=sha256:1\nb==2.0\n"
    assert parse_lock(lock_text(lock)) == lock


PYLOCK = """lock-version = "1.0"
[[packages]]
name = "onnxruntime"
version = "1.16.3"
wheels = [
    { url = "https://x/a.whl", upload-time = 2023-11-20T20:23:42Z, size = 6412538, hashes = { sha256 = "aa" } },
    { url = "https://x/b.whl", upload-time = 2023-11-21T01:00:00Z, size = 7, hashes = { sha256 = "bb" } },
]
"""


def test_when_a_version_was_published_and_how_large_it_is():
    assert parse_published(PYLOCK) == PublishedVersion(version="1.16.3", day="2023-11-21", size=6412538)


def test_a_folder_of_wheels_tells_neither():
    text = '[[packages]]\nname = "torch"\nversion = "2.13.0+cpu"\nwheels = [{ url = "file:///a.whl", hashes = {} }]\n'
    assert parse_published(text) == PublishedVersion(version="2.13.0+cpu", day=None, size=None)
