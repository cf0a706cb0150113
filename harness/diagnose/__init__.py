"""Why variants fail (causes), what failures have in common (rules), and what mends them (remedies)."""
