"""What a failure of uv means: a fact about versions, or nothing.

uv's exit codes do not tell (1 is no solution, unknown version or failed build; 2 is usage and network), so its text is
read: short fragments that have been stable over releases. Every result keeps the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.environments.interface import FailureType

_UNKNOWN = re.compile(
    r"[Bb]ecause (there is no version of (?P<pinned>\S+==[^\s,]+)|"
    r"(?P<name>\S+) was not found in the (package registry|provided))"
)

_NOT_ASKED = (
    "network was disabled",
    "Network connectivity is disabled",
    "No space left",
    "could not be queried",
    "401 Unauthorized",
    "403 Forbidden",
)
"""Fragments of texts about an index that was not asked, or gave no answer; uv may call that no solution, or a failed build."""
_NETWORK = re.compile(
    # Of uv: what it needs for a build comes from an index too.
    r"Failed to fetch\b|Failed to download (?!and build)|error sending request|Request failed after|HTTP status server error|"
    # Of a build backend that downloads something: the system's words, Python's, those of requests, curl and git.
    r"Connection (refused|reset|aborted|timed out)|(Network|Host) is unreachable|No route to host|"
    r"Temporary failure in name resolution|Name or service not known|getaddrinfo failed|Could not resolve host|"
    r"(read|handshake) operation timed out|urlopen error|Remote end closed connection|CERTIFICATE_VERIFY_FAILED|SSLEOFError|"
    r"Max retries exceeded|HTTP Error (429|5[0-9]{2})\b|[Rr]eturned error: (429|5[0-9]{2})\b",
)
"""Texts about a server that did not answer, wherever they stand: uv calls that a failed build, with no solution inside."""

_NOT_BUILT = re.compile(r"Wheels are required for `(?P<name>[^`]+)` because building from source is disabled")
"""A hint of uv below "No solution found"."""


def classify(text: str) -> FailureType:
    """The type of the failure that uv's output describes (exit code not 0)."""
    # On one line: uv wraps its output.
    text = " ".join(text.split())
    if any(words in text for words in _NOT_ASKED) or _NETWORK.search(text):
        return FailureType.INFRASTRUCTURE
    if "No solution found" in text:
        return FailureType.UNSATISFIABLE
    if "Failed to build" in text or "build backend returned an error" in text.lower():
        return FailureType.BUILD
    return FailureType.INFRASTRUCTURE


def needs_build(text: str) -> str | None:
    """Why uv's output proves nothing of versions: it counts what has no wheel as absent, since builds are not allowed.

    None if no build could change the answer.
    """
    found = dict.fromkeys(match["name"] for match in _NOT_BUILT.finditer(" ".join(text.split())))
    if not found:
        return None
    return f"nothing is built from source here, and {' and '.join(found)} has no wheel: `build = true` in [uv] would settle it"


def unpublished(text: str, requested: Iterable[str]) -> str | None:
    """The first of the requirements `requested` (`name==version`) that no index has, as uv says, or its bare name.

    None also if uv did not see all indexes.
    """
    if classify(text) is not FailureType.UNSATISFIABLE:
        return None
    requirements = {requirement.lower() for requirement in requested}
    names = {requirement.partition("==")[0] for requirement in requirements}
    for match in _UNKNOWN.finditer(text):
        if (pinned := match["pinned"]) and pinned.lower() in requirements:
            return pinned
        if (name := match["name"]) and name.lower() in names:
            return name
    return None
