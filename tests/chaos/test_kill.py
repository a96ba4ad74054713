"""kill -9 at any instant: the file stays whole, and the same command ends as if nothing had happened."""

import random
import time
from pathlib import Path

from tests.chaos.harness import ROUNDS, SEED, Content, Lab, content, steps_of


def test_kills_at_random_moments(lab: Lab, undisturbed: Content) -> None:
    """Whenever it is killed, nothing is lost, nothing stored is fetched again, and the end is the same."""
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    began = time.monotonic()
    lab.finish()
    length = time.monotonic() - began
    lab.forget()
    for _ in range(ROUNDS):
        if not lab.killed_after(chance.uniform(0, length)):
            assert content(lab.db) == undisturbed
            lab.forget()
    lab.finish()
    assert content(lab.db) == undisturbed
    print(f"refetched after each kill: {lab.refetched}")
