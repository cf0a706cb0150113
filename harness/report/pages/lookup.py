"""What is known about a message that somebody pasted, as a page; and all known messages as one (docs/errors.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

from harness import invocation
from harness.decide import known_messages, message_forms
from harness.decide.known_messages import KnownMessage, MeasuredCause
from harness.decide.lookup import Recognised
from harness.decide.nearest import Near
from harness.decide.next_steps import FindOut
from harness.decide.refusals import Refusal, admits
from harness.model import Stage, Status
from harness.report.page import Block, Item, Page, Paragraph, Quote, Section, Span, Text, code, items, joined
from harness.report.pages import refusals as refusal_pages
from harness.report.pages.measured_causes import cause_item, named
from harness.report.tables import counted
from harness.stack import RUNTIME
from harness.verdicts.messages import headline

_HEADING = 150
"""Characters of a heading."""
_MESSAGE = 600
"""Characters of a message that is shown."""
_EVIDENCE = 3
"""Sentences of evidence; `explain` has them all."""
_APART = 120
"""Characters of each side of a difference."""
_NUMBERS = 3
"""Numbers in a message that mean something; more of them are sizes, or the versions of a proof."""


def recognised(
    found: Sequence[Recognised],
    first: Mapping[str, str],
    refusals: Sequence[Refusal] = (),
    other_builds: Sequence[str] = (),
) -> Page[Sequence[Recognised]]:
    """The page of a text with known messages, with refusals, or with both. `first`: see `known_messages.causes`.

    `other_builds`: the builds of onnxruntime in the text that were not measured.
    """
    answers = [(match, known_messages.causes(match.failures, first, admits(match, refusals))) for match in found]
    messages = [_answer(match, causes) for match, causes in answers]
    titles, limits = [_title(*answer) for answer in answers], refusal_pages.sections(refusals)
    # A limit is that of the text; a message may have been measured with other numbers.
    exact = any(match.measured for match in found)
    if not exact:
        titles = [*(refusal_pages.title(refusal) for refusal in refusals), *titles]
    return Page(
        title=Span(f"recognised: {'; '.join(dict.fromkeys(titles))}", status=Status.FAILS),
        blocks=[*_builds(other_builds), *([*messages, *limits] if exact else [*limits, *messages])],
        data={
            "recognised": True,
            "messages": [_data(match, causes) for match, causes in answers],
            "refusals": refusals,
            "other_builds": other_builds,
            "nearest": [],
            "next": None,
        },
        source=found,
    )


def _builds(names: Sequence[str]) -> Iterator[Block]:
    if names:
        yield Paragraph(
            text=f"The text names {', '.join(names)}. What follows was measured with {RUNTIME} as it is on PyPI: another build "
            "has releases, limits and kernels of its own."
        )


def _title(match: Recognised, causes: Sequence[MeasuredCause]) -> str:
    """The answer, as sure as it is."""
    held = "" if match.shows_cause else ", where it was measured"
    other = "" if match.measured else ", with other values"
    return f"fails at {match.message.stage}; cause{held}{other}: {' or '.join(map(named, causes))}"


def unknown(near: Sequence[Near], way: FindOut) -> Page[Sequence[Recognised]]:
    """The page of a text without any known message. `way`: what would answer for it."""
    command = invocation.command("check", "--from requirements.txt")
    blocks: list[Block] = []
    if near:
        lines = [Item(text=_heading(found.message), blocks=[items(_similarity(found), *_apart(found))]) for found in near]
        blocks.append(Section(title="The nearest that are known, which are not the same", blocks=[items(*lines)]))
    blocks.append(Section(title="To find out", blocks=[items(_find_out(way, command))]))
    nearest = [_near_data(found) for found in near]
    following = command if way is FindOut.VERSIONS else None
    return Page(
        title="unknown: no published report has this message",
        blocks=blocks,
        data={"recognised": False, "messages": [], "refusals": [], "nearest": nearest, "next": following, "find_out": way},
        source=(),
    )


def _find_out(way: FindOut, command: str) -> Text:
    match way:
        case FindOut.VERSIONS:
            return joined("write the versions into a file (pip freeze > requirements.txt), and run ", code(command))
        case FindOut.MODEL:
            return "it takes the model: a probe of your own runs yours with the versions that you name (docs/probe.md)"
        case FindOut.NOTHING:
            return "it is about native libraries of the system or of a GPU, which are not measured at all"
        case _:
            assert_never(way)


def all_known(known: Sequence[KnownMessage], first: Mapping[str, str]) -> Page[Sequence[KnownMessage]]:
    """The page of all messages. It has no commands, so that it is the same however the program was started."""
    reports = {failure.published.name for message in known for failure in message.failures}
    answers = [(message, known_messages.causes(message.failures, first)) for message in known]
    intro = (
        f"{counted(len(known), 'message')} of {counted(len(reports), 'published report')}: what failed with each, why, and "
        "what made it work. Numbers, paths and names of nodes may differ. `lookup` finds such a message in a text or a log."
    )
    return Page(
        title="Messages that were measured",
        blocks=[Paragraph(text=intro), *(_listed(message, causes) for message, causes in answers)],
        data=[_message_data(message, message.values, causes) for message, causes in answers],
        source=known,
    )


def _listed(message: KnownMessage, causes: Sequence[MeasuredCause]) -> Section:
    blocks: list[Block] = [
        Quote(text=headline(message.text, limit=_MESSAGE)),
        Paragraph(text=f"Fails at {message.stage}.{_measured_with(message)}"),
        *_notes(message),
        items(*map(cause_item, causes)),
    ]
    return Section(title=_heading(message), blocks=blocks)


def _answer(match: Recognised, causes: Sequence[MeasuredCause]) -> Section:
    notes = [Paragraph(text=note) for note in [*_values(match), *_part(match), *_unnamed(match), *_ruled_out(match)]]
    evidence = 0 if match.unnamed else _EVIDENCE
    shown = [cause_item(cause, evidence=cause.evidence[:evidence], commands=True) for cause in causes]
    return Section(
        title=joined(Span(f"fails at {match.message.stage}", status=Status.FAILS), ": ", _heading(match.message)),
        blocks=[*notes, *_notes(match.message), items(*shown)],
    )


def _heading(message: KnownMessage) -> str:
    """The message without its particulars, from its beginning: `If → Reshape: The dimension …`."""
    whole = " … ".join(message.templates)
    text = message_forms.innermost(whole).replace("#", "…")
    if nodes := message_forms.operators(whole):
        text = f"{' → '.join(nodes)}: {text}"
    text = re.sub("^And because", "Because", text)
    return _shortened(text, _HEADING)


def _notes(message: KnownMessage) -> Iterator[Paragraph]:
    if not message.shows_cause:
        yield Paragraph(
            text=f"At {message.stage} a message says what did not fit, and not why. The cause is that of the models that were "
            "measured: compare them with yours."
        )


def _values(match: Recognised) -> Iterator[str]:
    """For which numbers the answer was measured."""
    others = [values for values in match.message.values if values and values != match.values]
    if not match.measured:
        own = f"with {_listing(match.values)}" if match.values else "with this name"
        yield f"Not measured {own}, as the text has it. Measured with {_measured(match.message)}: what follows is of that."
    elif others:
        yield f"Measured with {_listing(match.values)}, as the text has it; also with {'; '.join(map(_listing, others))}."


def _measured(message: KnownMessage) -> str:
    names = sorted({name for failure in message.failures for name in failure.names})
    return "; ".join([*map(_listing, filter(None, message.values)), *names])


def _measured_with(message: KnownMessage) -> str:
    """The numbers of a message that has few."""
    few = all(len(values) <= _NUMBERS for values in message.values)
    return f" Measured with {measured}." if few and (measured := _measured(message)) else ""


def _listing(values: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(values))


def _part(match: Recognised) -> Iterator[str]:
    if not match.whole:
        nodes = message_forms.operators(" ".join(match.message.templates))
        yield (
            f"The text has the end of this message alone. It was measured in a node {' inside a node '.join(reversed(nodes))}; "
            "elsewhere it may be another failure."
        )


def _unnamed(match: Recognised) -> Iterator[str]:
    """What the answer leaves open, since the text does not say which package imports."""
    if match.unnamed:
        names = ", ".join(sorted(match.unnamed))
        if match.message.stage is Stage.IMPORT:
            where = f"Measured at the import of {names}. The text does not show that it is this import which fails"
        else:
            where = f"The text does not say which package imports, and does not speak of {names}"
        yield f"{where}: changes of {names} are left out. The whole traceback would tell."


def _ruled_out(match: Recognised) -> Iterator[str]:
    """Remedies that the numbers of the text rule out."""
    for change, limit in match.ruled_out.items():
        name = change.rpartition(" ")[0]
        yield f"Left out: {change}, which was for other numbers. With those of the text, {name} must be {limit}."


def _similarity(found: Near) -> str:
    failure = found.message.failures[0]
    alike = f"{found.similarity:.0%} alike" if found.similarity < 1 else "the same words of something else"
    return f"{alike}; at {found.message.stage}, in {failure.cell.id} of the report {failure.published.name}"


def _apart(found: Near) -> Iterator[Text]:
    measured, pasted = (_shortened(part.replace("#", "…"), _APART) for part in found.apart)
    if measured or pasted:
        yield f"differs in: {measured or 'nothing'} (measured), {pasted or 'nothing'} (the text)"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit].rpartition(' ')[0]} …"


def _data(match: Recognised, causes: Sequence[MeasuredCause]) -> dict[str, Any]:
    measured = {"values": match.values, "measured": match.measured, "whole": match.whole}
    measured |= {"unnamed": sorted(match.unnamed), "ruled_out": match.ruled_out}
    return measured | _message_data(match.message, match.message.values, causes)


def _message_data(message: KnownMessage, values: Sequence[tuple[str, ...]], causes: Sequence[MeasuredCause]) -> dict[str, Any]:
    return {
        "stage": message.stage,
        "pattern": message.templates,
        "example": message.text,
        "measured_values": values,
        "shows_cause": message.shows_cause,
        "causes": causes,
    }


def _near_data(found: Near) -> dict[str, Any]:
    failure = found.message.failures[0]
    return {
        "stage": found.message.stage,
        "pattern": found.message.templates,
        "similarity": found.similarity,
        "report": failure.published.name,
        "cell": failure.cell.id,
        "differs_in": found.apart,
    }
