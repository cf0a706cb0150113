"""What the published reports know of messages that people have posted: recognised, unknown, and never wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness import published_reports, report_locations
from harness.decide.known_messages import KnownMessage, causes, known_messages
from harness.decide.lookup import recognised
from harness.decide.nearest import nearest

MESSAGES = tomllib.loads((Path(__file__).parent / "public_messages.toml").read_text(encoding="utf-8"))["message"]


@pytest.fixture(scope="module")
def known() -> list[KnownMessage]:
    return known_messages(published_reports.every())


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["source"])
def test_a_public_message_is_recognised_with_the_right_cause_or_unknown(message, known):
    found_causes = {failure.variant.cause for found in recognised(message["text"], known) for failure in found.failures}
    expected = report_locations.reports().keys() & set(message.get("reports", ()))
    right = message.get("cause", [])
    assert bool(found_causes) == bool(expected)
    assert found_causes <= ({right} if isinstance(right, str) else set(right))


@pytest.mark.parametrize(
    "message", [message for message in MESSAGES if "works_with" in message], ids=lambda message: message["source"]
)
def test_an_answer_names_no_remedy_that_the_text_speaks_against(message, known):
    (match,) = recognised(message["text"], known)
    answers = causes(match.failures, {}, match.admits)
    assert [change for answer in answers for change in answer.remedies] == message["works_with"]


@pytest.mark.parametrize(
    "message", [message for message in MESSAGES if "differs_in" in message], ids=lambda message: message["source"]
)
def test_the_nearest_message_says_where_it_differs(message, known):
    assert list(nearest(message["text"], known)[0].apart) == message["differs_in"]


def test_every_message_says_where_it_is_from_and_what_it_is():
    assert len({message["source"] for message in MESSAGES}) == len(MESSAGES) >= 30
    assert all(("cause" in message) == ("reports" in message) != ("why" in message) for message in MESSAGES)
