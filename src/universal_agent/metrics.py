"""How much, how often, how late: the product's own figures.

One object, made by the composition root and handed to whoever counts; no module state. `/metrics`
and the JSON documents read the same objects.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The registry and every figure on it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.dispatch_lag = Histogram(
            "ua_dispatch_lag_seconds",
            "Actual start minus the time a slot was to start.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        finished = Counter(
            "ua_runs_finished", "Runs by how they ended.", ["status"], registry=self.registry
        )
        #: The counter of runs that ended in a status.
        self.runs_finished = cache(finished.labels)
        self.runs_running = Gauge(
            "ua_runs_running", "Runs that a runner has right now.", registry=self.registry
        )
        self.events_appended = Counter(
            "ua_events_appended", "Events in the log.", registry=self.registry
        )
        self.loop_restarts = Counter(
            "ua_loop_restarts",
            "Engine loops restarted after a failure.",
            ["loop"],
            registry=self.registry,
        )
