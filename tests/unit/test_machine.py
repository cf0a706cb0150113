"""Cores and memory as a control group allows them: its files are faked."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from harness import machine

GB = 10**9


@pytest.fixture(autouse=True)
def large_machine(monkeypatch):
    """A machine with 64 cores and 256 GB."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 256 * GB}))


def files(root: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_control_group_it_is_the_machine(tmp_path):
    assert machine.cores(tmp_path) == 64
    assert machine.memory(tmp_path) == 256 * GB


V2 = {
    "proc/self/cgroup": "0::/box/inner\n",
    "sys/fs/cgroup/box/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/box/memory.max": f"{4 * GB}\n",
    "sys/fs/cgroup/box/memory.current": f"{3 * GB}\n",
    "sys/fs/cgroup/box/memory.stat": f"anon {2 * GB}\ninactive_file {GB}\n",
    "sys/fs/cgroup/box/inner/cpu.max": "max 100000\n",
    "sys/fs/cgroup/box/inner/memory.max": "max\n",
    "sys/fs/cgroup/box/inner/memory.current": "1\n",
}
V1 = {
    "proc/self/cgroup": "5:cpu,cpuacct:/box\n4:memory:/box\n",
    "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "200000\n",
    "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{4 * GB}\n",
    "sys/fs/cgroup/memory/box/memory.usage_in_bytes": f"{3 * GB}\n",
    "sys/fs/cgroup/memory/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {GB}\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "0\n",
}
INSIDE = {
    "proc/self/cgroup": "0::/a/path/of/the/host\n",
    "sys/fs/cgroup/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/memory.max": f"{4 * GB}\n",
    "sys/fs/cgroup/memory.current": f"{2 * GB}\n",
}


@pytest.mark.parametrize("contents", [V2, V1, INSIDE], ids=["version 2", "version 1", "inside a container"])
def test_two_cpus_and_four_gigabytes(tmp_path, contents):
    root = files(tmp_path, contents)
    assert machine.cores(root) == 2
    assert machine.memory(root) == 2 * GB


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000 100000", 1), ("350000 100000", 3), ("max 100000", 64), ("", 64), ("x y", 64)]
)
def test_a_share_of_a_core_is_none(tmp_path, quota, cores):
    assert machine.cores(files(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota})) == cores
