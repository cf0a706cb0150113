"""Versions → locks → layers → environments on disk."""
