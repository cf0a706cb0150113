"""The local machine: a thread per task, because the work itself happens in child processes."""

from __future__ import annotations

from harness import machine
from harness.environments.environments import Environments
from harness.execution.executors.interface import RunContext
from harness.execution.scheduler import INSTALLS
from harness.execution.worker import Worker


def jobs(requested: int | str) -> int:
    """How many probes run at once: as requested, or one on each core."""
    return max(1, requested if isinstance(requested, int) else machine.cores())


def opened(context: RunContext) -> Local:
    """An executor with environments on this machine.

    Raises:
        HarnessError: an environment that the caller made cannot hold its lock.
    """
    made = Environments(context.store, context.uv, context.packages)
    try:
        return Local(
            store=context.store,
            records=context.records,
            environments=made,
            supervisor=context.supervisor,
            limits=context.limits,
            given=context.given(made) if context.given else {},
            forks=not context.settings.no_forks,
            sandbox=context.sandbox,
        )
    except BaseException:
        made.close(keep=context.settings.keep_envs)
        raise


class Local(Worker):
    """Performs tasks in this process."""

    def lanes(self, requested: int | str) -> tuple[int, int]:
        """As many probes as requested, or one on each core."""
        return jobs(requested), INSTALLS

    def memory(self) -> float:
        """What is available now."""
        return machine.memory()
