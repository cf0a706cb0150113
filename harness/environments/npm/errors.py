"""What a failure of npm means: a fact about versions, or nothing. With `--json` npm names a code.

npm's own sentences name its registry, which is nobody's business, so that only the code of most of them is shown.
"""

from __future__ import annotations

import json
import re

from harness.environments.interface import FailureType, ProviderFailure

_FACTS = {
    "ETARGET": "no such version is published",
    "E404": "no such package is published",
    "ERESOLVE": "the packages require each other in versions that have no common solution",
    "EBADPLATFORM": "a package is not made for this platform",
    "EBADENGINE": "a package is not made for this version of node",
}
"""Code → what it says about versions."""

_NOT_PUBLISHED = {"ETARGET", "E404"}

_UNPUBLISHED = re.compile(r"(?:No matching version found for|The requested resource ')\s*'?(@?[\w./-]+)@([\w.+~^*-]*[\w*])")
"""Where npm names the package, and the version, that its registry does not have."""

_NOT_OF_A_REGISTRY = "a package requires one from git, a URL or a file, and only those of a registry are installed"
_HINTS = {
    **dict.fromkeys(("EALLOWGIT", "EALLOWREMOTE", "EALLOWFILE", "EALLOWDIRECTORY"), _NOT_OF_A_REGISTRY),
    "ENOTCACHED": "npm's cache lacks it, and no network is asked",
    "EINTEGRITY": "a file of the registry is not the one that was locked",
    "ENOSPC": "No space left on device",
    "E404": "its registry lacks a package that is required, or does not show it without permission",
}
"""Code → what is known of the trouble."""


def failure(text: str, requested: dict[str, str]) -> ProviderFailure:
    """The failure that npm's output describes; `requested` is the package and the version that npm was asked about.

    It is empty where a lock is installed. A lock is proof of publication, so nothing of it is a fact that says otherwise.
    A package that another one requires exists, too: who is not permitted to see it is answered with E404 as well.
    """
    code, sentences = _code(text)
    named = _UNPUBLISHED.search(sentences)
    subject = f" ({named[1]}@{named[2]})" if named else ""
    required = code == "E404" and (named is None or named[1] not in requested)
    if code not in _FACTS or required or (code in _NOT_PUBLISHED and not requested):
        hint = _HINTS.get(code, "its registry, the network or the disk failed it; `npm ping` and `npm doctor` say more")
        message = f"npm ended with {code or 'no code'}: {hint}{subject}"
        return ProviderFailure(FailureType.INFRASTRUCTURE, message, tool="npm")
    message = f"npm ended with {code}: {_FACTS[code]}{subject}"
    return ProviderFailure(FailureType.UNSATISFIABLE, message, unpublished=_unpublished(code, named, requested), tool="npm")


def _unpublished(code: str, named: re.Match[str] | None, requested: dict[str, str]) -> str | None:
    """The requirement that is not published, if it is the requested one: `name==version`, or the bare name."""
    if code not in _NOT_PUBLISHED or named is None or named[1] not in requested:
        return None
    return named[1] if code == "E404" else f"{named[1]}=={requested[named[1]]}"


def _code(text: str) -> tuple[str, str]:
    """(code, summary and detail) of npm's output; what is no such code counts as none."""
    try:
        error = json.loads(text[text.index("{") :])["error"]
        code, sentences = str(error.get("code") or ""), f"{error.get('summary')} {error.get('detail')}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", ""
    return (code if re.fullmatch(r"E[A-Z0-9_]{1,40}|[A-Z][A-Z0-9_]{1,40}", code) else ""), sentences
