"""Which jobs make up the load? Chosen by a seeded generator, so that a seed is always one load.

Every run's child appends one line to a file outside the store with a single write, before it does
anything else; one that takes its time appends another when it is done.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of job."""

    name: str
    #: How many of a hundred jobs are of this sort.
    share: int
    #: Its runs write an `end` line too.
    ends: bool = False
    #: A slot may be run again when its outcome is unknown.
    retries_interrupted: bool = False
    #: Its schedule and whether it is on are left alone, and it is not deleted.
    settled: bool = False


TICK = Kind("tick", 24)
FIVE = Kind("five", 34)
CRON = Kind("cron", 16)
MINUTE = Kind("minute", 4)
LONG = Kind("long", 8, ends=True)
AGAIN = Kind("again", 2, ends=True, retries_interrupted=True)
FLAKY = Kind("flaky", 4)
FAILING = Kind("failing", 2)
SLOW = Kind("slow", 2, ends=True)
ONCE = Kind("once", 4, settled=True)

KINDS = {k.name: k for k in (TICK, FIVE, CRON, MINUTE, LONG, AGAIN, FLAKY, FAILING, SLOW, ONCE)}


def choose_kind(rng: random.Random) -> Kind:
    """A kind, as often as its share says."""
    kinds = list(KINDS.values())
    return rng.choices(kinds, [kind.share for kind in kinds])[0]


def fields_of(kind: Kind, key: str, lines: Path, rng: random.Random, *, now: float) -> Fields:
    """The body of a request that makes such a job; `key` marks it."""
    start = line("start", lines)
    fields: Fields = {
        "command": f"exec {start}",
        "title": f"{kind.name} {key}",
        "metadata": {"key": key, "kind": kind.name},
        "runner": "shell",
        "auto_pause_after": 0,
        "misfire_grace_seconds": rng.choice((1, 2, 30)),
        "on_miss": rng.choice(("ask", "run_latest", "run_all", "skip")),
        "jitter_seconds": rng.choice((0, 0, 0, 2)),
        "overlap": rng.choice(("skip", "queue_one", "allow", "cancel_previous")),
    }
    match kind:
        case Kind(name="tick"):
            fields |= {"every": "1s"}
        case Kind(name="five"):
            fields |= {"every": "5s"}
        case Kind(name="cron"):
            fields |= {"cron_expr": f"*/{rng.choice((2, 3, 7, 10, 25))} * * * * *"}
        case Kind(name="minute"):
            fields |= {"cron_expr": "* * * * *"}
        case Kind(name="long" | "again"):
            fields |= {
                "every": rng.choice(("2s", "4s")),
                "command": f"{start}; sleep {rng.randint(3, 10)}; {line('end', lines)}",
                "retry_interrupted": kind.retries_interrupted,
                # An outage's slots one after the other would take longer than the whole rig.
                "on_miss": rng.choice(("ask", "run_latest", "skip")),
            }
        case Kind(name="flaky"):
            # Fails at the first attempt.
            fields |= {
                "every": "5s",
                "command": f'{start}; [ "$UA_ATTEMPT" -ge 2 ]',
                "retries": 2,
                "retry_backoff": [1, 1],
            }
        case Kind(name="failing"):
            fields |= {"every": "5s", "command": f"{start}; exit 3", "retries": 1}
        case Kind(name="slow"):
            fields |= {
                "every": "5s",
                "command": f"{start}; sleep 4; {line('end', lines)}",
                "timeout_seconds": 2,
                "on_miss": "ask",
            }
        case _:
            fields |= {
                "run_at": int(now) + rng.randint(2, 8),
                "delete_after_run": rng.random() < 0.5,
                "misfire_grace_seconds": 30,
            }
    return fields


def line(phase: str, lines: Path) -> str:
    """A command that appends one line with one write."""
    facts = "$UA_EVENT_ID $UA_RUN_ID $UA_ATTEMPT $UA_TRIGGER"
    return f"date \"+{phase} {facts} %s.%N\" >> '{lines}'"
