"""A checkpoint named by its hub id: downloaded once by the hub's own command, which here is a fake one on the index."""

from pathlib import Path

import pytest
from project import Project
from wheels import Wheel

HUB_ID = "Helsinki-NLP/opus-mt-en-de"

GIVES = """
    chosen = [sys.argv[at + 1] for at, word in enumerate(sys.argv) if word == "--include"]
    target = pathlib.Path(sys.argv[sys.argv.index("--local-dir") + 1])
    target.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "pytorch_model.bin"):
        if any(fnmatch.fnmatch(name, pattern) for pattern in chosen):
            (target / name).write_text("{}")
"""
REFUSES = """
    sys.exit("Error: Access to model is restricted. You must be authenticated to access it.")
"""


def hub(does: str) -> Wheel:
    noted = "with open(os.environ['HF_HOME'], 'a') as log: print(*sys.argv[1:4], file=log)"
    body = f"import fnmatch, os, pathlib, sys\ndef main():\n    {noted}\n{does}"
    entry = "[console_scripts]\nhf = fake_hub:main\n"
    files = {"fake_hub.py": body, "huggingface_hub-1.0.dist-info/entry_points.txt": entry}
    return Wheel(name="huggingface_hub", version="1.0", files=files)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the fake hub notes how it was called; users' HF_… variables reach it."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "calls"))
    monkeypatch.setenv("UV_TOOL_DIR", str(tmp_path / "tools"))
    return tmp_path / "calls"


def test_a_checkpoint_is_downloaded_once_in_the_format_that_there_is(project: Project, calls: Path):
    project.publish(hub(GIVES))
    project.configure(probe={"model": HUB_ID})
    (cell,) = project.run("--allow-pickle").values()
    assert cell["status"] == "works"
    assert project.report()["probe"]["model"] == "opus-mt-en-de"
    folder = project.store / "models" / HUB_ID
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "pytorch_model.bin", "tokenizer.json"]
    assert calls.read_text().splitlines() == [f"download {HUB_ID} --include"] * 2  # safetensors were looked for first
    project.run("--allow-pickle")
    assert len(calls.read_text().splitlines()) == 2


def test_pickled_weights_are_not_downloaded_unasked(project: Project, calls: Path):
    project.publish(hub(GIVES))
    answer = project.main("run", "--model", HUB_ID)
    assert answer.code == 2
    assert f"{HUB_ID} holds no *.safetensors; --allow-pickle reads pickled weights" in answer.err
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "adapter_model.bin"])
def test_a_folder_with_pickled_weights_is_refused_unless_they_are_allowed(project: Project, name: str):
    folder = project.root / "saved"
    folder.mkdir()
    for file in ("config.json", name, "training_args.bin"):
        (folder / file).write_text("{}")
    project.configure(probe={"model": "saved"})
    answer = project.main("run")
    assert answer.code == 2
    assert f"{folder} has {name}, a pickle or what names one: save the model as safetensors" in answer.err
    (folder / "model.safetensors").write_text("{}")
    assert f"{folder} has {name}, a pickle or what names one: move it elsewhere" in project.main("run").err
    assert project.main("run", "--allow-pickle").code == 0
    assert project.main("report").code == 0
    (folder / name).unlink()
    assert project.main("run").code == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.safetensors.index.json", '{"weight_map": {"a": "evil.pt"}}'),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../other/model.safetensors"}}'),
        ("model.safetensors.index.json", '{"weight_map": {"a": 3}}'),
        ("model.safetensors.index.json", "[]"),
        ("pytorch_model.bin.index.json", '{"weight_map": {"a": "model-00001.safetensors"}}'),
        ("adapter_config.json", '{"base_model_name_or_path": "sub"}'),
    ],
)
def test_a_folder_that_names_other_weights_is_refused(project: Project, name: str, text: str):
    folder = project.root / "saved"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model-00001.safetensors").write_text("{}")
    (folder / name).write_text(text)
    project.configure(probe={"model": "saved"})
    answer = project.main("run")
    assert answer.code == 2
    assert "--allow-pickle reads pickled weights" in answer.err


def test_a_folder_whose_index_names_safetensors_is_read(project: Project):
    folder = project.root / "saved"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001.safetensors"}}')
    project.configure(probe={"model": "saved"})
    assert project.main("run").code == 0


def test_what_the_hub_says_is_passed_on(project: Project, calls: Path):
    project.publish(hub(REFUSES))
    answer = project.main("run", "--model", HUB_ID)
    assert answer.code == 2
    assert f"{HUB_ID!r} is no model family and no folder, and the hub did not give it: Error: Access" in answer.err
    assert calls.exists()
    assert not (project.store / "models").exists()


def test_offline_nobody_is_asked(project: Project, calls: Path):
    answer = project.main("run", "--offline", "--model", HUB_ID)
    assert answer.code == 2
    assert "has not been downloaded yet" in answer.err
    assert not calls.exists()


def test_plan_installs_nothing_so_it_does_not_download(project: Project, calls: Path):
    """The hub's command comes from an index that matrix.toml may name, and it would run with the user's token."""
    project.publish(hub(GIVES))
    answer = project.main("plan", "--model", HUB_ID)
    assert answer.code == 2
    assert f"{HUB_ID} has not been downloaded yet, and a command that installs nothing cannot do that" in answer.err
    assert not calls.exists()
    project.configure(probe={"model": HUB_ID})
    project.run("--allow-pickle")
    assert project.main("plan").code == 0
