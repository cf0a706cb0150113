"""Inputs that are almost right: a valid file, cut, doubled, joined with another one, and mixed with what breaks parsers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

TOKENS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\\",
    b'"',
    b"'",
    b'"""',
    b"#",
    b";",
    b"=",
    b"===",
    b"[",
    b"]]",
    b"{",
    b"}}",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"(" * 3000,
    b"a=[" * 500,
    b"9" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"0x10",
    b"18446744073709551616",
    b"null",
    b"true",
    b"1979-05-27T07:32:00Z",
    b"1!2.0.post1.dev2+local",
    b"<script>alert(1)</script>",
    b"[link](javascript:x)",
    b"\x1b[2J\x1b]8;;x\x07",
    "\u202eevil\u2066".encode(),
    b"\\ud800",
    b"\xed\xa0\x80",
    b"$(id)",
    b"%s%n{0}",
    b"../../etc/passwd",
    b"/dev/zero",
    b"-e /tmp/x #",
    b"https://user:secret@example.org/simple",
    b"a" * 5000,
    b"!" * 300,
    b"=" * 300,
    b"<" * 300,
    b"0x" * 300,
    b" " * 5000,
)
"""What was wrong somewhere once, or is likely to be."""


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds` after up to six changes."""
    content = draw(st.sampled_from(seeds))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=6)):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        content = content[:start] + change(draw, content[start:end], seeds) + content[end:]
    return content


_Change = Callable[[st.DrawFn, bytes, Sequence[bytes]], bytes]


def _token(draw: st.DrawFn, piece: bytes, _seeds: Sequence[bytes]) -> bytes:
    return draw(st.sampled_from(TOKENS)) + piece


def _replaced(draw: st.DrawFn, _piece: bytes, _seeds: Sequence[bytes]) -> bytes:
    return draw(st.sampled_from(TOKENS))


def _any(draw: st.DrawFn, _piece: bytes, _seeds: Sequence[bytes]) -> bytes:
    return draw(st.binary(max_size=12))


def _removed(_draw: st.DrawFn, _piece: bytes, _seeds: Sequence[bytes]) -> bytes:
    return b""


def _doubled(draw: st.DrawFn, piece: bytes, _seeds: Sequence[bytes]) -> bytes:
    return piece * draw(st.integers(2, 50))


def _joined(draw: st.DrawFn, piece: bytes, seeds: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from(seeds))
    start = draw(st.integers(0, len(other)))
    return piece + other[start : start + draw(st.integers(0, 200))]


CHANGES: tuple[_Change, ...] = (_token, _replaced, _any, _removed, _doubled, _joined)
