"""npm as a provider: what is published, locks, environments, and what its trouble means."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fake_npm import FakeNpm
from values import result

from harness.environments.index_answers import IndexAnswers
from harness.environments.installed import difference
from harness.environments.interface import ANY, FailureType, ProviderFailure
from harness.environments.lock_records import LOCK, Solved
from harness.environments.npm.client import Npm
from harness.environments.npm.variables import environment
from harness.environments.published_versions import between, published
from harness.model import Interpreter, Stage
from harness.store.store import Store
from harness.subprocesses import Supervisor


@pytest.fixture
def npm(tmp_path, monkeypatch) -> FakeNpm:
    made = FakeNpm(tmp_path / "npm")
    monkeypatch.setenv("PATH", made.path)
    for name in [name for name in os.environ if name.lower().startswith("npm_config_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for version in ("1.16.0", "1.16.3", "1.17.0", "1.22.0-rev", "1.22.0", "1.23.0-rc.1", "1.24.0-dev.20260114-c343143a49"):
        made.publish_runtime(version)
    return made


@pytest.fixture
def client(npm: FakeNpm) -> Npm:
    return Npm(Supervisor())


NAME = "onnxruntime-node"


@pytest.mark.parametrize(
    ("bounds", "newest", "oldest"),
    [
        ("", "1.22.0", "1.16.0"),
        ("<1.17", "1.16.3", "1.16.0"),
        (">1.16,<1.22.dev0", "1.17.0", "1.16.3"),
        (">=1.23.0rc1", "1.23.0-rc.1", "1.23.0-rc.1"),
        (">=2", None, None),
    ],
)
def test_what_is_published_within_bounds(client, npm, bounds, newest, oldest):
    assert (client.newest(NAME, bounds, ANY), client.oldest(NAME, bounds, ANY)) == (newest, oldest)
    assert npm.calls()[0][:4] == ["view", NAME, "versions", "time"]
    assert len(npm.calls()) == 1


def test_a_version_that_is_before_a_release_for_npm_and_after_it_for_pep_440_is_none(client):
    assert client.newest(NAME, ">=1.22,<1.23.dev0", ANY) == "1.22.0"


def test_selectors_and_the_versions_between_two(client, tmp_path):
    answers = IndexAnswers(Store.open(str(tmp_path / "store")))
    assert published(NAME, "; latest-per-minor", answers, client, ANY) == ["1.16.3", "1.17.0", "1.22.0"]
    assert published(NAME, ">=1.16,<1.22; all", answers, client, ANY) == ["1.16.0", "1.16.3", "1.17.0"]
    ends = ("1.16.0", "1.22.0")
    found = between(NAME, ends, "all", answers=answers, provider=client, python=ANY, ask=True)
    assert found == ["1.16.3", "1.17.0"]


def test_a_release_has_a_day(client):
    found = client.published(f"{NAME}<1.17", ANY)
    assert (found.version, found.day, found.size) == ("1.16.3", "2026-01-02", None)
    assert client.released(NAME, "1.16.3", ANY).isoformat() == "2026-01-02T12:00:00+00:00"
    assert client.published("nonesuch", ANY) is None


def test_a_lock_has_every_package_its_integrity_and_no_url(client, npm):
    lock = client.resolve([f"{NAME}==1.16.3"], ANY)
    assert lock.versions == {"onnxruntime-common": "1.16.3", NAME: "1.16.3"}
    common, runtime = lock.distributions
    assert (common.hashes, common.via, runtime.via) == ((npm.integrity("onnxruntime-common", "1.16.3"),), (NAME,), ())
    assert lock.root == (NAME, "1.16.3")
    assert "://" not in lock.text
    (call,) = npm.calls("install")
    assert {"--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"} <= set(call)


@pytest.mark.parametrize(("axis", "spelled"), [("1.17", "1.17.0"), ("1.23.0rc1", "1.23.0-rc.1")])
def test_a_version_is_spelled_as_npm_does(client, axis, spelled):
    assert client.resolve([f"{NAME}=={axis}"], ANY).versions[NAME] == spelled


def test_what_only_one_package_has_lies_within_it(client, npm):
    npm.publish("a", "1.0.0")
    npm.publish("a", "2.0.0")
    npm.publish("b", "1.0.0", {"a": "2.0.0"})
    npm.publish("@scope/top", "1.0.0", {"a": "1.0.0", "b": "1.0.0"})
    lock = client.resolve(["@scope/top==1.0.0"], ANY)
    assert lock.versions == {"@scope/top": "1.0.0", "a": "1.0.0", "b": "1.0.0", "b/node_modules/a": "2.0.0"}
    assert {each.name: each.via for each in lock.distributions}["b/node_modules/a"] == ("b",)


def test_a_record_of_a_lock_is_the_lock(client):
    lock = client.resolve([f"{NAME}==1.16.3"], ANY)
    solved = Solved(lock=lock, result=result(Stage.RESOLVE))
    assert LOCK.unseal("a" * 32, LOCK.seal("a" * 32, solved)) == solved
    assert b'"lock": {"npm": "{' in LOCK.seal("a" * 32, solved)


@pytest.mark.parametrize(
    ("requirement", "unpublished"),
    [(f"{NAME}==1.99.0", f"{NAME}==1.99.0"), (f"{NAME}==1.99.0rc1", f"{NAME}==1.99.0rc1"), ("nonesuch==1.0", "nonesuch")],
)
def test_what_is_not_published_is_a_fact(client, requirement, unpublished):
    with pytest.raises(ProviderFailure) as caught:
        client.resolve([requirement], ANY)
    assert (caught.value.type, caught.value.unpublished) == (FailureType.UNSATISFIABLE, unpublished)
    assert "://" not in str(caught.value)


def test_a_package_that_needs_a_version_that_is_not_published_has_no_solution(client, npm):
    npm.publish("a", "1.0.0")
    npm.publish("broken", "1.0.0", {"a": "2.0.0"})
    with pytest.raises(ProviderFailure) as caught:
        client.resolve(["broken==1.0.0"], ANY)
    assert (caught.value.type, caught.value.unpublished) == (FailureType.UNSATISFIABLE, None)
    assert str(caught.value) == "npm ended with ETARGET: no such version is published (a@2.0.0)"


def test_a_package_that_needs_what_the_registry_does_not_show_proves_nothing(client, npm):
    npm.publish("broken", "1.0.0", {"nonesuch": "1.0.0"})
    with pytest.raises(ProviderFailure) as caught:
        client.resolve(["broken==1.0.0"], ANY)
    assert (caught.value.type, caught.value.unpublished) == (FailureType.INFRASTRUCTURE, None)
    words = "its registry lacks a package that is required, or does not show it without permission (nonesuch@*)"
    assert str(caught.value) == f"npm ended with E404: {words}"


@pytest.mark.parametrize(
    "code", ["ECONNREFUSED", "ENOTFOUND", "E401", "E403", "E503", "ETIMEDOUT", "ENOSPC", "EACCES", "x", ""]
)
def test_trouble_proves_nothing_and_shows_nothing_of_the_registry(client, npm, code):
    npm.trouble(view=code, install=code)
    for ask in (lambda: client.newest(NAME, "", ANY), lambda: client.resolve([f"{NAME}==1.16.3"], ANY)):
        with pytest.raises(ProviderFailure) as caught:
            ask()
        assert caught.value.type is FailureType.INFRASTRUCTURE
        assert caught.value.unpublished is None
        assert str(caught.value).startswith(f"npm ended with {code if code.startswith('E') else 'no code'}: ")
        assert "registry.example" not in str(caught.value)


def test_without_a_network_npms_cache_answers_or_nothing_does(client, npm):
    offline = Npm(Supervisor(), offline=True)
    with pytest.raises(ProviderFailure, match="ENOTCACHED: npm's cache lacks it"):
        offline.newest(NAME, "", ANY)
    client.newest(NAME, "", ANY)
    assert offline.newest(NAME, "", ANY) == "1.22.0"


def test_an_environment_holds_what_is_locked_from_the_cache_if_it_is_there(client, npm, tmp_path):
    lock, folder = client.resolve([f"{NAME}==1.16.3"], ANY), tmp_path / "env"
    client.create(folder, ANY)
    assert client.install_from_cache(folder, lock) is False
    client.install(folder, lock)
    assert difference(lock.versions, client.installed(folder, ANY)) == []
    assert client.install_from_cache(folder, lock) is True
    assert [("--ignore-scripts" in call, "--offline" in call) for call in npm.calls("ci")] == [
        (True, True),
        (True, False),
        (True, True),
    ]


def test_an_old_cache_of_npm_costs_nothing(client, npm, tmp_path):
    for version in ("1.0.0", "1.1.0"):
        npm.publish("a", version)
        lock, folder = client.resolve([f"a=={version}"], ANY), tmp_path / version
        client.create(folder, ANY)
        assert client.install_from_cache(folder, lock) is False
        client.install(folder, lock)
        assert client.installed(folder, ANY) == {"a": version}


@pytest.mark.parametrize("code", ["ETARGET", "E404"])
def test_a_lock_is_proof_of_publication(client, npm, tmp_path, code):
    lock, folder = client.resolve([f"{NAME}==1.16.3"], ANY), tmp_path / "env"
    client.create(folder, ANY)
    npm.trouble(ci=code)
    with pytest.raises(ProviderFailure, match=f"npm ended with {code}: its registry") as caught:
        client.install(folder, lock)
    assert caught.value.type is FailureType.INFRASTRUCTURE


def test_what_was_changed_on_disk_is_noticed(client, tmp_path):
    lock, folder = client.resolve([f"{NAME}==1.16.3"], ANY), tmp_path / "env"
    client.create(folder, ANY)
    client.install(folder, lock)
    description = folder / "node_modules" / NAME / "package.json"
    description.write_text(json.dumps({"version": "1.17.0"}))
    assert difference(lock.versions, client.installed(folder, ANY)) == [f"{NAME} 1.17.0, locked 1.16.3"]
    description.write_text("no JSON")
    (folder / "node_modules" / "surplus").mkdir()
    (folder / "node_modules" / "surplus" / "package.json").write_text('{"version": "1.0.0"}')
    found = difference(lock.versions, client.installed(folder, ANY))
    assert found == [f"{NAME} unreadable, locked 1.16.3", "surplus 1.0.0, locked not at all"]


def test_what_npm_made_from_another_file_is_noticed(client, tmp_path):
    lock, folder = client.resolve([f"{NAME}==1.16.3"], ANY), tmp_path / "env"
    client.create(folder, ANY)
    client.install(folder, lock)
    hidden = folder / "node_modules" / ".package-lock.json"
    hidden.write_text(hidden.read_text().replace("sha512-", "sha512-A", 1))
    found = difference(lock.versions, client.installed(folder, ANY))
    assert found == ["onnxruntime-common 1.16.3 of another file, locked 1.16.3"]


def test_a_file_that_is_not_the_locked_one_is_an_error(client, npm, tmp_path):
    lock = client.resolve([f"{NAME}==1.16.3"], ANY)
    npm.publish(NAME, "1.16.3", {"onnxruntime-common": "1.16.3"}, runner="another")
    client.create(tmp_path / "env", ANY)
    with pytest.raises(ProviderFailure, match="EINTEGRITY: a file of the registry is not the one that was locked") as caught:
        client.install(tmp_path / "env", lock)
    assert caught.value.type is FailureType.INFRASTRUCTURE


def test_node_is_found_with_its_version_and_looked_for_once(client, npm):
    assert client.program() == Interpreter(version="20.11.1", path=str(npm.bin / "node"))
    npm.install_node("22.0.0")
    assert client.program().version == "20.11.1"
    assert client.why_missing() == ""


@pytest.mark.parametrize(
    ("missing", "reason"), [(["node"], "no node on"), (["npm"], "no npm on"), (["node", "npm"], "no node and no npm on")]
)
def test_without_node_or_npm_there_is_a_reason_and_how_to_get_it(npm, monkeypatch, missing, reason):
    monkeypatch.setenv("PATH", str(npm.bin))
    for name in missing:
        (npm.bin / name).unlink()
    client = Npm(Supervisor())
    assert client.program() is None
    assert client.why_missing().startswith(reason)
    assert "Node.js brings both" in client.why_missing()


def test_a_node_that_does_not_start_is_none(npm):
    (npm.bin / "node").write_text("#!/bin/sh\nexit 1\n")
    client = Npm(Supervisor())
    assert client.program() is None
    assert client.why_missing().startswith("node does not start (exit code 1)")


def identity(tmp_path: Path) -> list[object]:
    return Npm(Supervisor()).identity(tmp_path)


def test_another_registry_is_another_question_and_another_token_is_not(npm, tmp_path, monkeypatch):
    before = identity(tmp_path)
    (tmp_path / ".npmrc").write_text("//one.example/:_authToken=secret\nfund=false\n")
    assert identity(tmp_path) == before
    (tmp_path / ".npmrc").write_text("registry = https://user:secret@one.example/\n")
    one = identity(tmp_path)
    (tmp_path / ".npmrc").write_text("registry = https://user:other@one.example/\n")
    assert identity(tmp_path) == one != before
    monkeypatch.setenv("npm_config_registry", "https://two.example/")
    assert identity(tmp_path) not in (one, before)
    assert "example" not in json.dumps(one)


def test_the_registries_of_the_global_file_count_and_the_users_file_is_stronger(npm, tmp_path, monkeypatch):
    before = identity(tmp_path)
    (npm.root / "etc").mkdir()
    (npm.root / "etc" / "npmrc").write_text("registry=https://user:secret@one.example/\n@scope:registry=https://three.example/")
    of_all = identity(tmp_path)
    (tmp_path / ".npmrc").write_text("registry=https://two.example/\n")
    of_user = identity(tmp_path)
    assert len({json.dumps(one) for one in (before, of_all, of_user)}) == 3
    (npm.root / "etc" / "npmrc").write_text("registry=https://other.example/\n@scope:registry=https://three.example/")
    assert identity(tmp_path) == of_user
    (tmp_path / "elsewhere").write_text("@scope:registry=https://four.example/")
    monkeypatch.setenv("npm_config_globalconfig", str(tmp_path / "elsewhere"))
    assert identity(tmp_path) not in (before, of_all, of_user)


def test_variables_that_the_files_name_reach_npm_and_no_others(npm, tmp_path, monkeypatch):
    for name in ("TOKEN", "SURE", "HOST", "OTHER", "IN_VARIABLE"):
        monkeypatch.setenv(name, f"of {name}")
    (tmp_path / ".npmrc").write_text("//${HOST}/:_authToken=${TOKEN}\nemail = ${SURE?}\nnote=$OTHER ${ABSENT}\n")
    monkeypatch.setenv("npm_config_ca", "${IN_VARIABLE}")
    seen = environment()
    assert {name for name, value in seen.items() if value.startswith("of ")} == {"TOKEN", "SURE", "HOST", "IN_VARIABLE"}


def test_a_registry_by_a_variable_is_another_one_with_another_value(npm, tmp_path, monkeypatch):
    (tmp_path / ".npmrc").write_text("registry=https://${LOGIN}@${HOST}/\n")
    monkeypatch.setenv("LOGIN", "user:secret")
    monkeypatch.setenv("HOST", "one.example")
    one = identity(tmp_path)
    monkeypatch.setenv("LOGIN", "user:other")
    assert identity(tmp_path) == one
    monkeypatch.setenv("HOST", "two.example")
    assert identity(tmp_path) != one


def test_settings_that_change_a_set_are_npms_defaults_whatever_a_user_has(client, npm, tmp_path):
    lock = client.resolve([f"{NAME}==1.16.3"], ANY)
    client.create(tmp_path / "env", ANY)
    client.install(tmp_path / "env", lock)
    pinned = {"--no-engine-strict", "--no-legacy-peer-deps", "--no-strict-peer-deps", "--no-force"}
    assert [pinned <= set(call) for command in ("install", "ci") for call in npm.calls(command)] == [True, True]
