"""The step of the pipeline that searches for remedies, and what it found."""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnose.remedies.matrix import MatrixRemedies, mend
from harness.execution.questions import Questions
from harness.execution.session import Session
from harness.execution.work import Work
from harness.verdicts.judge import Verdict


def search(session: Session, verdicts: Sequence[Verdict]) -> Work:
    """A step of the pipeline: the trials that have to run before all searches have come to their end."""
    if not session.settings.searches_remedies:
        return Work()
    questions = Questions(session)
    mend(questions, verdicts)
    return questions.work()


def found(session: Session, verdicts: Sequence[Verdict]) -> MatrixRemedies:
    """What mends what, as far as it was run."""
    if not session.settings.reports_remedies:
        return MatrixRemedies()
    return mend(Questions(session, acts=False), verdicts)
