import json
def test_env(project, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", str(project.index))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    project.configure(uv={"torch-backend": "default"})
    (cell,) = project.run().values()
    print(json.dumps(cell, indent=1)); assert 0
def test_env2(project, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", str(project.index))
    project.configure(uv={"torch-backend": "default", "no-index": True})
    (cell,) = project.run().values()
    print(json.dumps(cell, indent=1)); assert cell["status"] == "works"
def test_toml(project, monkeypatch):
    (project.root / "uv.toml").write_text('resolution = "lowest"\n')
    (cell,) = project.run().values()
    assert cell["resolved"]["numpy"] == "2.1.0"
def test_env3(project, monkeypatch):
    monkeypatch.setenv("UV_RESOLUTION", "lowest")
    (cell,) = project.run().values()
    assert cell["resolved"]["numpy"] == "2.1.0"
