"""What a process counts of its own work, for Prometheus. No codes, no names, no addresses: routes, kinds and numbers.

Several processes answer on one port, so each writes what it counts into a folder that they share, and whichever is
asked adds all of them up (prometheus-client's multiprocess mode). ``flask serve`` makes the folder; without one, as in
tests, a process tells of itself.

The library is loaded with the first number: it looks at once whether there is such a folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter as Tally
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the environment that names the folder; the library's own."""
SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)
"""The limits between which durations are counted."""
WAITS = (1, 5, 15, 60, 300, 900)
_LIVE = re.compile(r"gauge_live\w*_(\d+)\.db")


class _Figures(NamedTuple):
    registry: CollectorRegistry
    requests: Counter
    latency: Histogram
    scans: Counter
    dropped: Counter
    jobs: Counter
    job_seconds: Histogram
    job_waits: Histogram
    connections: Gauge


@cache
def _figures() -> _Figures:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    registry = CollectorRegistry()

    def counter(name: str, text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, text, labels, registry=registry)

    def histogram(name: str, text: str, labels: Iterable[str], limits: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, labels, buckets=limits, registry=registry)

    return _Figures(
        registry,
        counter(
            "trace_requests", "Requests that Flask answered; kept trace pages are scans.", ("method", "route", "status")
        ),
        histogram("trace_request_seconds", "How long they took.", ("route",), SECONDS),
        counter("trace_scans", "Scans handed to the queue, by what was shown.", ("outcome",)),
        counter("trace_scans_dropped", "Scans for which there was no room any more."),
        counter("trace_jobs", "Jobs that ended.", ("job", "outcome")),
        histogram("trace_job_seconds", "How long they took.", ("job",), SECONDS),
        histogram("trace_job_wait_seconds", "How long they waited in the queue.", ("job",), WAITS),
        Gauge(
            "trace_database_connections",
            "Connections to the database in use, of each process.",
            registry=registry,
            multiprocess_mode="liveall",
        ),
    )


def note_request(method: str, route: str, status: int, seconds: float) -> None:
    figures = _figures()
    figures.requests.labels(method, route, str(status)).inc()
    figures.latency.labels(route).observe(seconds)


def note_scans(outcomes: Iterable[str]) -> None:
    for outcome, count in Tally(outcomes).items():
        _figures().scans.labels(outcome).inc(count)


def note_dropped_scans(count: int) -> None:
    _figures().dropped.inc(count)


def note_job(job: str, outcome: str, seconds: float, waited: float | None) -> None:
    """:param waited: seconds between its being put into the queue and its beginning, where they are known."""
    figures = _figures()
    figures.jobs.labels(job, outcome).inc()
    figures.job_seconds.labels(job).observe(seconds)
    if waited is not None:
        figures.job_waits.labels(job).observe(max(0.0, waited))


def note_connections(count: int) -> None:
    _figures().connections.set(count)


def page(more: Collector) -> tuple[bytes, str]:
    """All figures in Prometheus's format, with its content type.

    :param more: what is found out at this moment.
    """
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    own = _figures().registry
    if folder := os.environ.get(FOLDER):
        _forget_dead(Path(folder))
        own = CollectorRegistry()
        MultiProcessCollector(own, path=folder)  # type: ignore[no-untyped-call]
    now = CollectorRegistry()
    now.register(more)
    return generate_latest(own) + generate_latest(now), CONTENT_TYPE_LATEST


def _forget_dead(folder: Path) -> None:
    """Take away what processes that are gone had at that moment; what they counted stays."""
    for path in folder.iterdir():
        if (found := _LIVE.fullmatch(path.name)) and not Path(f"/proc/{found[1]}").exists():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
