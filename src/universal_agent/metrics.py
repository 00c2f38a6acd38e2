"""Metrics of this product.

One object, created by the composition root and passed to everything that counts; no module state.
`/metrics` and the JSON documents read the same objects.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from functools import cache

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

#: The counters of the scheduling-runtime document (docs/contract.md), in its order.
COUNTERS = (
    "calendar_events_requests",
    "calendar_action_requests",
    "calendar_change_request_requests",
    "calendar_change_confirm_requests",
    "heartbeat_last_requests",
    "heartbeat_wake_requests",
    "event_emissions_total",
    "cron_events_total",
    "heartbeat_events_total",
    "event_bus_published",
    "projection_applied",
    "projection_seed_count",
    "projection_seed_jobs",
    "projection_seed_runs",
    "projection_read_hits",
    "push_replay_requests",
    "push_stream_connects",
    "push_stream_disconnects",
    "push_stream_keepalives",
    "push_stream_event_payloads",
    "push_stream_resets",
    "projection_shadow_compares",
    "projection_shadow_mismatches",
)

#: Latest samples that quantiles are taken from.
_SAMPLES = 4096


class Series:
    """Count, last, greatest and sum of samples, and quantiles of the latest ones."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self.max = 0.0
        self.total = 0.0
        self._latest: deque[float] = deque(maxlen=_SAMPLES)

    def add(self, value: float) -> None:
        self.count += 1
        self.last = value
        self.max = max(self.max, value)
        self.total += value
        self._latest.append(value)

    def figures(self, name: str) -> dict[str, float]:
        """`<name>_last|max|total|avg`."""
        return {
            f"{name}_last": self.last,
            f"{name}_max": self.max,
            f"{name}_total": self.total,
            f"{name}_avg": self.total / self.count if self.count else 0.0,
        }

    def quantiles(self, name: str) -> dict[str, float | None]:
        """`<name>_p50|p95|p99` of the latest samples; None before the first one."""
        ordered = sorted(self._latest)
        return {
            f"{name}_p{percent}": ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
            if ordered
            else None
            for percent in (50, 95, 99)
        }


class _Counters(Collector):
    """The contract's counters as Prometheus has them."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters

    def collect(self) -> Iterator[CounterMetricFamily]:
        for name in COUNTERS:
            yield CounterMetricFamily(
                f"ua_{name.removesuffix('_total')}",
                f"{name.replace('_', ' ').capitalize()} since the start.",
                value=self._counters[name],
            )


class Metrics:
    """The registry and every figure on it.

    A counter with a label has a sample of 0 for each value before the first event of it: Prometheus
    sees no increase in a sample that begins with 1.
    """

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.counters: Counter[str] = Counter()
        self.registry.register(_Counters(self.counters))
        #: Milliseconds that building a calendar feed took.
        self.builds = Series()
        #: Seconds from the time a slot was to start to its start.
        self.lags = Series()
        #: Rows of the latest feed.
        self.feed_sizes: Counter[str] = Counter()
        self._dispatch_lag = prometheus.Histogram(
            "ua_dispatch_lag_seconds",
            "Actual start minus the time a slot was to start.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        finished = prometheus.Counter(
            "ua_runs_finished", "Runs by how they ended.", ["status"], registry=self.registry
        )
        #: The counter of runs that ended in a status.
        self.runs_finished = cache(finished.labels)
        slots = prometheus.Counter(
            "ua_slots",
            "Slots by the outcome that was recorded since the start.",
            ["outcome"],
            registry=self.registry,
        )
        #: The counter of slots that came to an outcome.
        self.slots = cache(slots.labels)
        self.stasis_pending = prometheus.Gauge(
            "ua_stasis_pending",
            "Missed slots that wait for a decision.",
            registry=self.registry,
        )
        self.runs_waiting = prometheus.Gauge(
            "ua_runs_waiting", "Runs that wait for a worker.", registry=self.registry
        )
        self.runs_running = prometheus.Gauge(
            "ua_runs_running", "Runs that a runner has right now.", registry=self.registry
        )
        self._pools = [
            prometheus.Gauge(f"ua_pool_{name}", words, ["pool"], registry=self.registry)
            for name, words in (
                ("size", "Runs of the pool that may be in execution."),
                ("running", "Runs of the pool in execution."),
                ("waiting", "Runs of the pool that wait."),
                ("oldest_wait_seconds", "How long the first of them has waited; 0: none waits."),
            )
        ]
        self.slots_unaccounted = prometheus.Gauge(
            "ua_slots_unaccounted",
            "Expected slots of the last ten minutes without an outcome; must be 0.",
            registry=self.registry,
        )
        restarts = prometheus.Counter(
            "ua_loop_restarts",
            "Engine loops restarted after a failure.",
            ["loop"],
            registry=self.registry,
        )
        #: The counter of restarts of a loop.
        self.loop_restarts = cache(restarts.labels)

    def pools(self, figures: Mapping[str, tuple[float, float, float, float]]) -> None:
        """Set size, running, waiting and oldest wait of each pool; others have none."""
        for index, gauge in enumerate(self._pools):
            gauge.clear()
            for name, values in figures.items():
                gauge.labels(name).set(values[index])

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the contract's counters."""
        self.counters[name] += by

    def lag(self, seconds: float) -> None:
        """Record the start latency of a slot."""
        self.lags.add(seconds)
        self._dispatch_lag.observe(seconds)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return prometheus.generate_latest(self.registry)
