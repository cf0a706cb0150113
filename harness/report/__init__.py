"""Verdicts → what people and programs read: one page model, one module for each format."""
