"""Makes foreign text safe to show: what packages, uv, files and people wrote.

No foreign text reaches a terminal or a page as it is. Characters that control a terminal, change the direction of a line or
are invisible become Python escapes. Secrets in URLs are left out: the part before the `@`, and passwords and tokens in the
query; and wherever they stand, the secrets of the places that packages come from. JSON keeps the characters, since it is data
and has escapes of its own.

Every function takes time in proportion to the text. Redact a text before it is cut: half of a secret is not recognised.
"""

from __future__ import annotations

import codecs
import json
import re
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
)
"""Control and format characters, bidirectional marks, invisible characters, and halves of surrogate pairs."""

_WORD = re.compile(r"[^\s\"<>]+")
"""A URL, or URLs that follow each other without a space."""

_USERINFO = re.compile(
    r"(://|%3[Aa]//|:\\{1,8}/\\{1,8}/|\b(?:https?|ftp|ssh|git|s3|gs|az|tcp|tls):/+)"
    r"(?:[^\s/?#\"<>]*@|[^\s/?#@:\"<>]+:(?![0-9]+[/?#])[^\s@\"<>]*@)"
    r"|(:/+)[^\s/?#@:\"<>]+:(?!/|[0-9]+[/?#])[^\s@\"<>]*@"
)
"""The part before the host of a URL; a password with a slash that is not encoded counts too.

A URL that passed through `Path` has one slash (`https:/user:password@host`), as have lists of folders (`/bin:/x@1/bin`). In
JSON each slash may be an escape.
"""

_USERINFO_SIGNS = (":/", ":\\", "%3A/", "%3a/")
"""One of these is in every text with a match."""

_ENCODED_USERINFO = re.compile(r"(%3A%2F%2F)(?:(?!%2F|%3F|%23)[^\s/?#&\"<>])*%40", re.IGNORECASE)
"""The same in a URL that is itself a value in a URL."""

_QUOTED_USERINFO = re.compile(
    r"(?<=[\"'`])(?!mailto:)[\w.%+~-]{2,}+:(?![:/\\]|[0-9]+[/?#])[^\s\"'`<>]+@(?!sha256:)(?=[^\s\"'`<>@]*[\"'`])"
)
"""The same in a message that quotes a URL from behind its scheme: `Invalid bucket name "user:password@bucket"`."""

_QUERY = re.compile(
    r"([?&;][\w.-]{0,40}?(?:token|jwt|passw(?:or)?d|passphrase|pwd|secret|key|sig|signature|credentials?|auth)=)[^\s&;#'\"<>\\]+",
    re.IGNORECASE,
)
"""A secret in the query of a URL: `?access_token=…`, `&X-Amz-Signature=…`."""

_AUTHORIZATION = re.compile(
    r"((?i:authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer)\s+))(?=[\w+/=.~-]*(?:[0-9=]|[a-z][A-Z]))[\w+/=.~-]{6,}"
)
"""The value of a header; a word in its place (`Authorization: Basic authentication is required`) is none."""

_TOKEN = re.compile(
    r"(?=.*[0-9])(?=.*[A-Za-z])(?:[A-Za-z0-9]{16,}|[A-Za-z0-9_-]{32,})|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
"""A part of a path that is no name."""

_SHORT = 8
"""Characters of the shortest text that is left out wherever it stands: a shorter one is a part of other texts."""

_WHOLE_QUERY = re.compile(r"\?[^#']*")

_COMMAND = re.compile(r"^[^\S\n]*:(?=:)|##(?=\[)", re.MULTILINE)
"""Commands of GitHub's runners: `::` at the start of a line, after white space too, and `##[` anywhere."""


class PlaceSecrets:
    """The secrets of the places that packages come from. A package or a tool may show them without the URL. Thread-safe."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._guard = threading.Lock()

    def add(self, places: Iterable[str], others: Iterable[str] = ()) -> None:
        """Leave out from now on what is secret in `places`, URLs or `NAME=URL`, and `others`."""
        found = {secret for place in places for secret in _secrets(place)} | {other for other in others if len(other) >= _SHORT}
        found |= {spelled(secret) for secret in found for spelled in (quote, unquote, lambda secret: quote(secret, safe=""))}
        with self._guard:
            if not found <= self._known:
                self._known |= found
                longest_first = sorted(self._known, key=len, reverse=True)
                self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")

    def left_out(self, text: str) -> str:
        """`text` with `***` for each of them."""
        return self._pattern.sub("***", text) if self._pattern else text


def _secrets(place: str) -> Iterator[str]:
    """What is secret in a place. Short words are not: they stand in many texts."""
    if "://" not in place:
        return
    try:
        url = urlsplit(place.partition("=")[2] if "=" in place.partition("://")[0] else place)
    except ValueError:
        return
    userinfo = url.netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    values = [value for _, value in parse_qsl(url.query)]
    # A user without a password is a token.
    yield from (text for text in (userinfo, password or user, *values) if len(text) >= _SHORT)
    yield from (part for part in url.path.split("/") if _TOKEN.fullmatch(part))


PLACE_SECRETS = PlaceSecrets()
"""Those of this process."""


def redacted(text: str) -> str:
    """`text` with `***` for users, passwords and tokens in its URLs, and for the secrets of places."""
    text = PLACE_SECRETS.left_out(_with_userinfo(text, "***@"))
    text = _QUOTED_USERINFO.sub("***@", text) if "@" in text else text
    text = _AUTHORIZATION.sub(r"\1***", text) if "uthorization" in text or "UTHORIZATION" in text else text
    return _QUERY.sub(r"\1***", text) if "=" in text else text


def without_secrets(text: str) -> str:
    """`text` without users, passwords and queries of its URLs, and with `***` for the secrets of places."""

    def replaced(urls: re.Match[str]) -> str:
        before, mark, _ = urls[0].partition("?")
        return _WHOLE_QUERY.sub("", urls[0]) if mark and "://" in before else urls[0]

    return PLACE_SECRETS.left_out(_WORD.sub(replaced, without_userinfo(text)))


def without_userinfo(text: str) -> str:
    """`text` without users, passwords and tokens before the hosts of its URLs."""
    return _with_userinfo(text, "")


def _with_userinfo(text: str, other: str) -> str:
    """`text` with `other` in place of the part before the host of its URLs."""

    def replaced(urls: re.Match[str]) -> str:
        # Only up to the last @: a search for one behind it fails, once for each URL, in quadratic time.
        before, at, after = urls[0].rpartition("@")
        return _USERINFO.sub(lambda found: f"{found[1] or found[2]}{other}", before + at) + after

    if "@" in text and any(sign in text for sign in _USERINFO_SIGNS):
        text = _WORD.sub(replaced, text)
    return _ENCODED_USERINFO.sub(rf"\1{other.replace('@', '%40')}", text) if "%40" in text else text


def visible(text: str) -> str:
    """`text`, safe to show: redacted, and with escapes for invisible characters; tabs and line feeds stay."""
    if not text.isascii() or not text.isprintable():
        text = _UNSEEN.sub(_escape, text.replace("\r\n", "\n"))
    if "::" in text or "##[" in text:
        text = _COMMAND.sub(lambda found: f"{found[0][:-1]}\\x{ord(found[0][-1]):02x}", text)
    return redacted(text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def escaped_json(text: str) -> str:
    """`text`, which is JSON, with escapes for invisible characters and commands, and without secrets of URLs."""
    if not text.isascii() or "\x7f" in text:  # JSON itself leaves no other control character
        text = text.replace("\x7f", r"\u007f").encode("ascii", _UNSEEN_AS_JSON).decode()
    # A command with `::` begins a line, which no string of JSON does.
    return redacted(text.replace("##[", r"\u0023#["))


def _escaped_part(found: UnicodeError) -> tuple[bytes, int]:
    """A part of a text that is not ASCII, with escapes for invisible characters, for a codec; and where the part ends."""
    assert isinstance(found, UnicodeEncodeError)
    part = found.object[found.start : found.end]
    return _UNSEEN.sub(lambda unseen: json.dumps(unseen[0])[1:-1], part).encode(), found.end


_UNSEEN_AS_JSON = "harness.unseen-as-json"
codecs.register_error(_UNSEEN_AS_JSON, _escaped_part)  # a codec skips ASCII, most of a large report, in a tenth of the time


def line(text: str) -> str:
    """`text` on one line, safe to show."""
    return " ".join(visible(text).split())


def comments(lines: Iterable[str]) -> str:
    """Lines as comments of a requirements file or a TOML file."""
    return "".join(f"# {line(text)}\n" for text in lines)
