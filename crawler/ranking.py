"""What a ranking weighs, as numbers that an evaluation may change."""

from typing import NamedTuple


class Ranking(NamedTuple):
    """The settings of a ranking; the defaults are what a search uses."""

    links: float = 1.0
    """How much what links call a section counts beside its own words; 0 leaves link texts out."""
