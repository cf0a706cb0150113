"""One solve: requirements → lock."""

from __future__ import annotations

from harness.environments.interface import FailureType, Provider, ProviderFailure
from harness.locked import Lock
from harness.matrix.plan import Requirements
from harness.model import Interpreter


def lock_for(what: Requirements, provider: Provider, interpreter: Interpreter, preferred: Lock | None = None) -> Lock:
    """The lock for requirements: with the optional ones or, if these leave no solution, without; see `Provider.resolve`."""
    try:
        return provider.resolve([*what.needed, *what.optional], interpreter, what.bounds, preferred, what.overrides)
    except ProviderFailure as failure:
        if not what.optional or failure.type is not FailureType.UNSATISFIABLE:
            raise
        lock = provider.resolve(what.needed, interpreter, what.bounds, preferred, what.overrides)
        return Lock(distributions=lock.distributions, dropped=tuple((name, str(failure)) for name in what.optional))
