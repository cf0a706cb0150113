"""How the keys of matrix.toml are spelled: as the fields of its models, and as they were before."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import AliasChoices

OLD_SPELLINGS = {
    "setup": "environment",
    "feedbacks": "feedback",
    "bindings": "binding",
    "strategies": "strategy",
    "attentions": "attention",
    "ir-versions": "ir-version",
    "optimizations": "optimization",
    "memory-patterns": "memory-pattern",
}
"""Key → how matrix.toml spelled it before; both are read."""


def key_of(field: str) -> str:
    """The key in matrix.toml of a model's field."""
    return field.replace("_", "-")


def spelled(key: str, table: Mapping[str, object]) -> str:
    """How `table` spells `key`."""
    old = OLD_SPELLINGS.get(key, key)
    return old if old in table else key


def spellings(field: str) -> AliasChoices:
    """All keys in matrix.toml of a model's field."""
    key = key_of(field)
    return AliasChoices(key, OLD_SPELLINGS.get(key, key))
