"""Remedies: changes that were run, and made a failing variant work."""
