"""Running tasks: scheduler, worker, executors, probe processes, and the rounds of a run."""
