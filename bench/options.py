"""How large is the benchmark? Every size is an argument of the command."""

from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for."""

    #: Each part is measured this often; its figure is the median.
    rounds: int
    #: Runs at once (UA_CRON_MAX_CONCURRENCY).
    concurrency: int
    #: What the gateway writes to standard error, which is kept in a file (UA_LOG_LEVEL).
    log_level: str
    #: Where databases lie while they are measured. Not on tmpfs: a commit must cost an fsync.
    directory: Path
    #: Whether the peer is measured beside ours.
    peer: bool
    #: How long the parts last that measure over a time.
    seconds: int

    #: One-shots due in one second.
    burst_jobs: int
    #: The same with a real runner, which tells the time by itself.
    shell_jobs: int
    steady_per_second: int
    steady_registered: int
    #: Slots offered in each second.
    sustained_per_second: int
    create_jobs: int
    create_connections: int
    idle_jobs: int
    startup_jobs: int
    growth_jobs: tuple[int, ...]
    #: Jobs that run once a day, and how many runs are stored of them.
    feed_jobs: int
    feed_runs: tuple[int, ...]
    #: Clients that read the stream of events, and such that opened it and do not read.
    stream_clients: tuple[int, ...]
    stuck_readers: int

    def arguments(self) -> list[str]:
        """The sizes as command-line arguments of a further `python -m bench`."""
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in {"rounds", "peer"}:
                text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                found += [f"--{field.name.replace('_', '-')}", text]
        return found
