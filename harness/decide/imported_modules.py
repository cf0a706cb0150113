"""Which modules a text shows at their import: by the frames of its tracebacks, and by statements. Pure.

An import fails with the words of a dependency (`numpy`, `protobuf`), and any package may have called for it. Only the
traceback tells which one did.
"""

from __future__ import annotations

import re
from functools import cached_property

from harness.decide import message_forms
from harness.stack import COMPLAIN_OF_IMPORTERS

_TRACEBACK = re.compile(r"(?=Traceback \(most recent call last\))")
_SHOWN = re.compile(
    # A frame as Python, pytest and IPython (also behind a link) write it.
    r"(?:site|dist)-packages[\\/]++(\w++)[^\n\"']{0,300}?\.py(?=\", line |:\d|(?:\]\([^\s)]*\))? in )"
    # A statement: in a frame, behind IPython's arrow, at a prompt, or in a command.
    r"|(?:^[ \t]*(?:>>> |-+> *\d+ +)?|-c ['\"])(?:from (\w+)[\w.]* import |import (\w+))"
    r"|while importing (\w+)",
    re.MULTILINE,
)


_MISSING = re.compile(r"No\\? module\\? named|cannot\\? import\\? name")
_FRAME = re.compile(r"\bline \d+, in |\.py:\d+|\bin <module>|-> *\d+ ")


class Imports:
    """The modules that are imported in a text, traceback by traceback."""

    def __init__(self, text: str) -> None:
        self._parts = [_Part(part) for part in _TRACEBACK.split(text)]

    @property
    def modules(self) -> set[str]:
        """All of them; empty if the text has nothing about an import."""
        return {module for part in self._parts for module in part.modules}

    def failing_with(self, message: re.Pattern[str]) -> set[str]:
        """The modules whose import ended with `message`: the last of the traceback that has it, or else of the next one.

        numpy complains before it prints where it was. Without a traceback it is the module of the only import.
        """
        behind = [*self._parts[1:], _Part("")]
        found = [(part, following) for part, following in zip(self._parts, behind, strict=True) if message.search(part.form)]
        missing = bool(_MISSING.search(message.pattern))
        ends = (part.ends(missing=missing) or following.ends(missing=missing) or part.only for part, following in found)
        return {module for end in ends for module in end}


class _Part:
    """A part of a text with one traceback, or with none."""

    def __init__(self, text: str) -> None:
        self._text = text
        clean = message_forms.cleaned(text)
        named = [(frame, frame or next(filter(None, others))) for frame, *others in _SHOWN.findall(clean)]
        self.modules = [name for _, name in named if name not in COMPLAIN_OF_IMPORTERS]
        self._of_frames = [name for frame, name in named if frame and name not in COMPLAIN_OF_IMPORTERS]
        self._has_frames = bool(_FRAME.search(clean))
        self.only = self.modules[:1] if len(set(self.modules)) == 1 else []

    def ends(self, *, missing: bool) -> list[str]:
        """The module whose import its traceback ends with, if it has one.

        If something is `missing`, the last statement names just that, and the frame in which it stands is of who asks for it.
        """
        if missing and self._of_frames:
            return self._of_frames[-1:]
        return self.modules[-1:] if self._has_frames else []

    @cached_property
    def form(self) -> str:
        return message_forms.form(self._text)
