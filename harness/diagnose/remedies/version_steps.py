"""How far two versions on an axis are from each other. Pure."""

from __future__ import annotations

import functools
from enum import IntEnum
from itertools import zip_longest

from packaging.version import Version

from harness.model import Cell
from harness.stack import RUNTIMES

_SELDOM_CHANGED = ("python", *RUNTIMES)
"""Axes whose version is seldom a choice: they come last, in this order."""


class StepSize(IntEnum):
    """The first part of the release in which two versions differ."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3


@functools.cache
def step_size(own: str, other: str) -> StepSize:
    """The size of the step from one version to another."""
    first, second = Version(own), Version(other)
    if first.base_version == second.base_version:  # they differ in a post-release
        return StepSize.PATCH
    mine, theirs = first.release, second.release
    if (first.epoch, mine[0]) != (second.epoch, theirs[0]):
        return StepSize.MAJOR
    return StepSize.PATCH if len(mine) > 2 and mine[1:2] == theirs[1:2] else StepSize.MINOR


def distance(cell: Cell, axis: str, version: str) -> tuple[object, ...]:
    """Sort key of other versions for `cell`: newer before older, the order of the axes, nearer before farther."""
    own = str(cell.version(axis))
    older, parts = Version(version) < Version(own), parts_apart(own, version)
    names = [name for name, _ in cell.pins]
    place = len(names) + _SELDOM_CHANGED.index(axis) if axis in _SELDOM_CHANGED else names.index(axis)
    return older, place, parts


@functools.cache
def parts_apart(own: str, other: str) -> tuple[tuple[int, ...], int]:
    """(the difference in the epoch and in each part of the release, in the post-release): less is nearer."""
    mine, theirs = Version(own), Version(other)
    parts = zip_longest((mine.epoch, *mine.release), (theirs.epoch, *theirs.release), fillvalue=0)
    posts = [-1 if version.post is None else version.post for version in (mine, theirs)]
    return tuple(abs(here - there) for here, there in parts), abs(posts[0] - posts[1])
