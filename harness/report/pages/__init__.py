"""What each command answers, as a page: one builder for each kind of result."""
