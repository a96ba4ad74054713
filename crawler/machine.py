"""What this machine, and this Python, can do at once."""

import gc
import os
import sys
from collections.abc import Callable


def cores() -> int:
    """How many of them this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_gil() -> bool:
    """Whether one thread at a time computes Python (PEP 703). A library may bring that about when it is imported."""
    enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)  # from 3.13 on
    return enabled()


def quiet_collector() -> None:
    """What was imported stays: the collector need not look through it again and again. And pages are many short-lived
    objects without cycles: looking for cycles after every 700 of them takes a twentieth of the crawl.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
