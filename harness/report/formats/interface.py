"""What a format is: it renders a page, whatever command made it.

A new format is a module with a subclass of `Format`, and a line in `FORMATS`. It is at once a choice of `--format` for every
command; with a `suffix`, its rendering of the report is also a file of the reports folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, BinaryIO, ClassVar

from rich.console import Console

from harness.report.page import Page


class Format(ABC):
    """A way to write a page.

    A format that shows something else than the blocks takes it from `page.cells` (rows, test cases), `page.annotations`
    (remarks with a place) or the type of `page.source` (a picture). For a page that it has nothing to say about, it writes
    the title and the summary.
    """

    suffix: ClassVar[str | None] = None
    """Of its file in the reports folder, `matrix.<suffix>`; None if it writes none."""
    joins: ClassVar[bool] = False
    """Whether pages one after the other are still one document."""
    appended: ClassVar[Mapping[str, type[Format]]] = {}
    """Variable of the environment that names a file → the format in which the page is also appended to that file."""

    @abstractmethod
    def render(self, page: Page[Any]) -> str | bytes:
        """The page as the content of a file; text is written as UTF-8."""

    def show(self, page: Page[Any], out: Console) -> None:
        """Write the page to stdout; `out` is the console on it, for a format that depends on width and colours."""
        content = self.render(page)
        if isinstance(content, bytes):
            out.file.flush()
            binary: BinaryIO = out.file.buffer  # type: ignore[attr-defined]  # stdout is text over bytes
            binary.write(content)
        else:
            out.file.write(content)
