"""No change makes searches worse: entries of the indexes of real documentation find the pages that they stand for."""

import json
from pathlib import Path

import pytest

from crawler import Item, evaluate
from crawler.judgements import Target
from tests.oracle import Walk

LEAST = {"python": {"mrr_at_10": 0.93, "success_at_1": 0.91}, "sqlite": {"mrr_at_10": 0.97, "success_at_1": 0.95}}


def items(name: str, base: str) -> list[Item]:
    """The sample of a site's index, whose paths are below `base`."""
    lines = (Path(__file__).parent / "data" / f"{name}-known-items.jsonl").read_text().splitlines()
    entries = map(json.loads, lines)
    return [
        Item(entry["query"], tuple(Target(base + path.partition("#")[0]) for path in entry["urls"]))
        for entry in entries
    ]


def test_known_items_are_found(walk: Walk, whole: Path, request: pytest.FixtureRequest) -> None:
    """The right page is first, or nearly, as often as it was when the floor was set."""
    name = request.node.callspec.params["walk"]
    found = evaluate(items(name, walk.seed.removesuffix("index.html")), db=whole)
    assert (found.items, found.missing_pages) == (60, 0)
    measured = {measure: getattr(found, measure) for measure in LEAST[name]}
    low = {measure: value for measure, value in measured.items() if value < LEAST[name][measure]}
    assert not low, "\n".join(f"{miss.rank} {miss.query!r}: {miss.first}" for miss in found.misses)
