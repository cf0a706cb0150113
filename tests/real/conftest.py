"""The real tests use the surroundings as they are: the index, uv's cache, the real probe."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _surroundings() -> None:
    """Overrides what the fast tests prepare."""
