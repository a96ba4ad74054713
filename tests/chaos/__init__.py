"""Real processes, real faults: nothing is lost, and nothing is fetched twice.

`CHAOS_ROUNDS=200 pytest tests/chaos` kills more often than the usual ten times; `CHAOS_SEED=…` repeats a run.
"""
