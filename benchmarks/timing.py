"""What the benchmarks share: arguments, interleaved rounds, medians, and the last line."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def arguments(description: str, **flags: str) -> argparse.Namespace:
    """The command's options: ``--quick``, and a benchmark's own flags with their help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a rough answer within 50 seconds")
    for name, text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser.parse_args()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def rates(rounds: int, **contestants: Callable[[], float]) -> dict[str, float]:
    """The median rate of each contestant; each round measures all of them, one after the other.

    :param contestants: measure once and return a rate per second.
    """
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, measure in contestants.items():
            measured[name].append(measure())
        print(f"round {number + 1}: " + ", ".join(f"{name} {runs[-1]:,.0f}/s" for name, runs in measured.items()))
    return {name: statistics.median(runs) for name, runs in measured.items()}


def finish(**figures: float) -> None:
    """The figures as one JSON object, on the last line."""
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
