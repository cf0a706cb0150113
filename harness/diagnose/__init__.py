"""From failures to what they have in common."""
