"""package-lock.json: what is kept of it, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.environments.npm.lockfile import files, parse

INTEGRITY = "sha512-" + "A" * 86 + "=="


def lock(**changes: Any) -> dict[str, Any]:
    entry = {"version": "1.16.3", "integrity": INTEGRITY, "resolved": "https://registry.example/a.tgz", "license": "MIT"}
    return {
        "name": "folder",
        "lockfileVersion": 3,
        "packages": {
            "": {"dependencies": {"onnxruntime-node": "1.16.3"}},
            "node_modules/onnxruntime-common": {**entry},
            "node_modules/onnxruntime-node": {
                **entry,
                "os": ["linux"],
                "dependencies": {"onnxruntime-common": "~1.16.3"},
                "peerDependencies": {"typescript": ">=5"},
                "peerDependenciesMeta": {"typescript": {"optional": True}},
                **changes,
            },
        },
    }


def test_what_installs_it_is_kept_and_where_it_comes_from_is_not():
    found = parse(json.dumps(lock()))
    kept = json.loads(found.text)
    assert kept["packages"]["node_modules/onnxruntime-node"] == {
        "version": "1.16.3",
        "integrity": INTEGRITY,
        "os": ["linux"],
        "dependencies": {"onnxruntime-common": "~1.16.3"},
        "peerDependencies": {"typescript": ">=5"},
        "peerDependenciesMeta": {"typescript": {"optional": True}},
    }
    assert "name" not in kept
    made = files(found)
    assert json.loads(made["package.json"]) == {"private": True, "dependencies": {"onnxruntime-node": "1.16.3"}}
    assert parse(made["package-lock.json"]) == found
    assert parse(found.text) == found


def test_the_digest_is_of_the_files():
    assert parse(json.dumps(lock())).digest == parse(json.dumps(lock(license="ISC"))).digest
    other = "sha512-" + "B" * 86 + "=="
    assert parse(json.dumps(lock())).digest != parse(json.dumps(lock(integrity=other))).digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"integrity": None}, "has no integrity"),
        ({"integrity": "sha512-x y"}, "has no integrity"),
        ({"version": "1.16.3; rm"}, "expected a version"),
        ({"version": "1.16.2"}, "in the requested version"),
        ({"dependencies": {"onnxruntime-common": "git+ssh://host/x"}}, "expected versions of a package"),
        ({"dependencies": {"onnxruntime-common": "file:../x"}}, "expected versions of a package"),
        ({"dependencies": {"onnxruntime-common": "npm:other@1"}}, "expected versions of a package"),
        ({"dependencies": {"../x": "1"}}, "expected versions of a package"),
        ({"dependencies": []}, "expected a table"),
    ],
)
def test_what_is_no_package_of_a_registry_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        parse(json.dumps(lock(**changes)))


@pytest.mark.parametrize(
    "place", ["../x", "/etc/x", "node_modules/../x", "node_modules/.bin", "node_modules/a/b/c", "packages/a"]
)
def test_a_place_outside_of_node_modules_is_refused(place):
    found = lock()
    found["packages"][place] = {"version": "1.0.0", "integrity": INTEGRITY}
    with pytest.raises(ValueError, match="expected a folder in node_modules"):
        parse(json.dumps(found))


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"packages": {}}', '{"packages": {"": {"dependencies": {"a": "1", "b": "1"}}}}', "no"]
)
def test_what_is_no_lock_of_one_requirement(text):
    with pytest.raises(ValueError, match=r"expected|Expecting"):
        parse(text)
