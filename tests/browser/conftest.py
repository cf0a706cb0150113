"""What the tests in a browser share."""

from pages_in_browser import browser, opened

__all__ = ["browser", "opened"]
