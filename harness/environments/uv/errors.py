"""What a failure of uv means: a fact about versions, or trouble on the way.

Its exit codes do not tell (1 is no solution, unknown version or failed build; 2 is usage and network), so its text is
read too: short fragments that have been stable over releases, with the raw text kept in every result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from harness.errors import UvError
from harness.model import Failure


class Trouble(Enum):
    """What kind of failure a uv call is."""

    UNSATISFIABLE = "unsatisfiable"
    """A fact: these versions have no common solution, or one has no wheel for this Python."""
    BUILD = "build"
    """A fact: a source distribution does not build."""
    UNKNOWN = "unknown distribution or version"
    """The matrix names something nobody publishes: bad input."""
    INFRASTRUCTURE = "infrastructure"
    """Network, index, disk, time: proves nothing."""


class UvFailure(Exception):  # noqa: N818 -- often a fact about versions, not an error
    """uv could not do what it was asked; `trouble` says whether that is a fact about versions."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble

    @property
    def failure(self) -> Failure:
        """As it is stored in a result."""
        return Failure(type=self.trouble.value, message=str(self))

    def as_error(self) -> UvError:
        """For where there is no cell to hold it against."""
        return UvError(f"uv could not find out what is published:\n{self}")


_UNKNOWN = re.compile(
    r"[Bb]ecause (there is no version of (?P<pinned>\S+==[^\s,]+)|"
    r"(?P<name>\S+) was not found in the (package registry|provided))"
)


_UNASKED = (
    "network was disabled",
    "Network connectivity is disabled",
    "No space left",
    "could not be queried",
    "401 Unauthorized",
    "403 Forbidden",
)
"""uv calls it no solution, or a build that failed, all the same where an index was not asked or does not answer."""


def classify(text: str) -> Trouble:
    """What uv's error output (exit code not 0) says happened."""
    # On one line: uv wraps what it prints.
    text = " ".join(text.split())
    if any(words in text for words in _UNASKED):
        return Trouble.INFRASTRUCTURE
    if "No solution found" in text:
        return Trouble.UNSATISFIABLE
    if "Failed to build" in text or "build backend returned an error" in text.lower():
        return Trouble.BUILD
    return Trouble.INFRASTRUCTURE


def unpublished(text: str, asked: Iterable[str]) -> str | None:
    """The first of the `asked` requirements (`name==version`) that uv says nobody publishes, or its bare name.

    None where uv did not get to see all that is published.
    """
    if classify(text) is not Trouble.UNSATISFIABLE:
        return None
    wanted = {requirement.lower() for requirement in asked}
    names = {requirement.partition("==")[0] for requirement in wanted}
    for match in _UNKNOWN.finditer(text):
        if (pinned := match["pinned"]) and pinned.lower() in wanted:
            return pinned
        if (name := match["name"]) and name.lower() in names:
            return name
    return None
