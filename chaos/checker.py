"""Was anything lost, run twice, or left without an outcome? Sets held against each other.

The checker reads evidence and nothing else. It shares no code with the product: what must have
happened is worked out anew in `expected`, and what did happen is what the children of runs wrote
outside the store. The gateway's own account (its event log, its runs, its ledger) is the third
side, and may contradict neither.
"""

from bisect import bisect, bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from chaos.evidence import Evidence, Record
from chaos.expected import expectations
from chaos.kinds import KINDS

#: What is wrong. The first three are what the summary line counts.
LOST, TWICE, UNACCOUNTED = "lost", "twice", "unaccounted"
OTHER = "other"

_FINAL = {"success", "error", "timeout", "stalled", "cancelled", "skipped", "interrupted"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be."""

    sort: str
    sentence: str

    def record(self) -> Record:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Did:
    """A line that a run's child has written."""

    phase: str
    event_id: str
    run_id: str
    attempt: int
    trigger: str
    at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found, and how much it has looked at."""

    faults: list[Fault]
    figures: dict[str, Any]

    def count(self, sort: str) -> int:
        return sum(fault.sort == sort for fault in self.faults)


class Checker:
    """Everything known, arranged for the questions below."""

    def __init__(self, evidence: Evidence) -> None:
        self.rounds = list(evidence.read("rounds"))
        self.writes = list(evidence.read("writes"))
        self.lines = list(_lines(evidence))
        self.followers = {name: list(evidence.read(name)) for name in evidence.followers()}
        self.runs = {run["run_id"]: run for run in evidence.read("runs")}
        self.ledgers = {record["job_id"]: record for record in evidence.read("ledgers")}
        longest = max(self.followers.values(), key=len, default=[])
        self.events = [event for event in longest if "type" in event]
        self.pending = {item["event_id"] for item in evidence.read("stasis")}
        until = self.rounds[-1]["ended_at"] if self.rounds else 0.0
        self.expected = expectations(self.writes, until=until)
        self._fold()

    def _fold(self) -> None:
        """What the event log says, by slot."""
        self.told: dict[str, Record] = {}
        self.skips: Counter[str] = Counter()
        self.spans: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self.made: Counter[str] = Counter()
        self.keys: dict[str, str] = {}
        self.fleeting = {w["key"] for w in self.writes if w["phase"] == "came and went"}
        for event in self.events:
            data = event["data"]
            match event["type"]:
                case "cron_job_created":
                    key = data["job"]["spec"]["metadata"].get("key", "")
                    self.made[key] += 1
                    self.keys[event["source_ref"]] = key
                case "cron_run_missed":
                    span = (data["first_at"], data["last_at"], data["count"])
                    self.spans[event["source_ref"]].append(span)
                case "cron_run_skipped" if "run" not in data:
                    self.skips[data["event_id"]] += 1
            if "run" in data:
                self.told[data["run"]["run_id"]] = data["run"]
        self.decided: dict[str, set[int]] = defaultdict(set)
        for event_id in filter(None, [r["event_id"] for r in self.runs.values()] + [*self.skips]):
            _, job_id, at = event_id.split("|")
            self.decided[job_id].add(int(at))

    # -- the questions

    def verdict(self) -> Verdict:
        """Every fault there is."""
        questions = (
            self.rounds_were_clean,
            self.every_follower_saw_every_event,
            self.acknowledged_is_true,
            self.decisions_were_made_once,
            self.nothing_was_admitted_twice,
            self.every_slot_is_accounted_for,
            self.no_slot_is_invented,
            self.the_ledger_counts_the_same,
            self.runs_did_what_is_recorded,
            self.log_and_tables_agree,
        )
        faults = [fault for question in questions for fault in question()]
        return Verdict(faults, self.figures())

    def rounds_were_clean(self) -> Iterator[Fault]:
        """What was looked at in each life of the gateway."""
        for record in self.rounds:
            where = f"life {record['life']} ({record['end']})"
            for sentence in record.get("contradictions", ()):
                yield Fault(LOST, f"{where}: {sentence}")
            for event_id in record.get("unaccounted", ()):
                yield Fault(UNACCOUNTED, f"{where}: the ledger does not account for {event_id}")
            for run_id in record.get("still_running", ()):
                yield Fault(OTHER, f"{where}: {run_id} is running, and nobody runs it")
            if record.get("orphans"):
                yield Fault(OTHER, f"{where}: processes {record['orphans']} were left alive")
            if record.get("integrity", "ok") != "ok":
                yield Fault(OTHER, f"{where}: integrity_check says {record['integrity']}")
            if record.get("failure"):
                yield Fault(OTHER, f"{where}: {record['failure']}")

    def every_follower_saw_every_event(self) -> Iterator[Fault]:
        """Each seq once, in order, without a hole, in one stream."""
        last = max((event["seq"] for event in self.events), default=0)
        for name, events in self.followers.items():
            seqs = [event["seq"] for event in events]
            streams = {event["stream_id"] for event in events}
            if len(streams) > 1:
                yield Fault(LOST, f"{name} saw {len(streams)} streams")
            if any(event["gap"] for event in events):
                yield Fault(LOST, f"{name} was told of a gap")
            if seqs == list(range(1, last + 1)):
                continue
            if missing := sorted(set(range(1, last + 1)) - set(seqs)):
                yield Fault(LOST, f"{name} never saw {len(missing)} events: {missing[:5]}...")
            else:
                yield Fault(TWICE, f"{name} saw events again, or out of order")

    def acknowledged_is_true(self) -> Iterator[Fault]:
        """What was asked for was done once, and is there."""
        acknowledged = [w for w in self.writes if w["phase"] == "acknowledged"]
        for write in acknowledged:
            if write["operation"] == "run":
                run_id = write["answer"]["run"]["run_id"]
                if run_id not in self.runs:
                    yield Fault(
                        LOST, f"{run_id} was acknowledged ({write['key']}) and is not there"
                    )
        for key, count in self.made.items():
            if key and count > 1:
                yield Fault(TWICE, f"{count} jobs were made for the key {key}")
        created = {w["key"] for w in acknowledged if w["operation"] == "create"}
        for key in sorted(created - set(self.made)):
            yield Fault(LOST, f"the job {key} was acknowledged, and no event tells of it")
        yield from self._refusals()
        yield from self._extra_runs(acknowledged)

    def _refusals(self) -> Iterator[Fault]:
        for write in self.writes:
            if write["phase"] != "refused" or write["operation"] == "decide":
                continue
            if write["operation"] != "create":
                what = f"{write['operation']} of {write['job_id']}"
                yield Fault(LOST, f"{what} was refused ({write['status']}): {write['answer']}")
            elif self.made[write["key"]]:
                yield Fault(LOST, f"the job {write['key']} was made, and its request refused")

    def _extra_runs(self, acknowledged: list[Record]) -> Iterator[Fault]:
        """As many runs without a slot as were asked for."""
        asked = Counter(w["job_id"] for w in acknowledged if w["operation"] == "run")
        made = Counter(r["job_id"] for r in self.runs.values() if r["trigger"] == "manual")
        for job_id in asked | made:
            if made[job_id] > asked[job_id]:
                yield Fault(
                    TWICE, f"{job_id} was run {made[job_id]} times by hand, asked {asked[job_id]}"
                )

    def decisions_were_made_once(self) -> Iterator[Fault]:
        """An approval is one run, and what was deleted is not pending any more."""
        decisions = [w for w in self.writes if w["operation"] == "decide"]
        latest: dict[str, str] = {}
        approved: Counter[str] = Counter()
        for write in decisions:
            if write["phase"] == "refused" and write["status"] not in (404, 409):
                yield Fault(OTHER, f"a decision was refused ({write['status']}): {write['answer']}")
            if write["phase"] == "acknowledged":
                latest[write["event_id"]] = write["answer"]["action"]
                if run := write["answer"].get("run"):
                    approved[run["run_id"]] += 1
        made = {r["run_id"] for r in self.runs.values() if r["trigger"] == "approved"}
        for run_id, count in approved.items():
            if count > 1:
                yield Fault(TWICE, f"{count} approvals were answered with {run_id}")
        for run_id in approved.keys() - made:
            yield Fault(LOST, f"{run_id} was approved and is not there")
        for run_id in made - approved.keys():
            yield Fault(TWICE, f"{run_id} ran as approved, and no approval was answered with it")
        for event_id, action in latest.items():
            if action == "delete_missed" and event_id in self.pending:
                yield Fault(LOST, f"{event_id} was deleted from the queue and is back")

    def nothing_was_admitted_twice(self) -> Iterator[Fault]:
        """One run for each attempt at a slot, one line for each run, one attempt at a time."""
        attempts: dict[str, list[Record]] = defaultdict(list)
        for run in self.runs.values():
            if run["event_id"] is not None:
                attempts[run["event_id"]].append(run)
        for event_id, runs in attempts.items():
            runs.sort(key=lambda run: (run["attempt"], run["run_id"]))
            if [run["attempt"] for run in runs] != list(range(1, len(runs) + 1)):
                numbers = [run["attempt"] for run in runs]
                yield Fault(TWICE, f"{event_id} has runs with the attempts {numbers}")
            elif self.skips[event_id]:
                yield Fault(TWICE, f"{event_id} was both run and skipped")
            else:
                yield from self._reasons_to_try_again(event_id, runs)
        for event_id, count in self.skips.items():
            if count > 1:
                yield Fault(TWICE, f"{event_id} was skipped {count} times")
        for (run_id, phase), count in Counter((d.run_id, d.phase) for d in self.lines).items():
            if count > 1:
                yield Fault(TWICE, f"{run_id} wrote its {phase} line {count} times")
        first = Counter(
            d.event_id
            for d in self.lines
            if d.phase == "start" and d.attempt == 1 and d.trigger != "manual"
        )
        for event_id, count in first.items():
            if count > 1:
                yield Fault(TWICE, f"{event_id} was executed {count} times as a first attempt")

    def _reasons_to_try_again(self, event_id: str, runs: list[Record]) -> Iterator[Fault]:
        """A further attempt follows an approval, an error, or an interruption where the job says
        so.
        """
        for before, after in pairwise(runs):
            job = self.expected.get(before["job_id"])
            again = job is not None and KINDS[job.kind].retries_interrupted
            if after["trigger"] == "approved":
                continue
            if before["status"] != "error" and not (before["status"] == "interrupted" and again):
                yield Fault(
                    TWICE,
                    f"{event_id}: attempt {after['attempt']} after one that ended as "
                    f"{before['status']}",
                )

    def every_slot_is_accounted_for(self) -> Iterator[Fault]:
        """Each slot that must be there was run, skipped or missed; one that ran has an end."""
        for job in self.expected.values():
            open_slots = sorted(job.demanded - self.decided[job.job_id])
            missed = set[int]()
            for first, last, _ in self.spans.get(job.job_id, ()):
                missed.update(open_slots[bisect_left(open_slots, first) : bisect(open_slots, last)])
            for at in sorted(set(open_slots) - missed):
                what = f"cron|{job.job_id}|{at} ({job.kind})"
                yield Fault(UNACCOUNTED, f"nothing tells of {what}")
        for run in self.runs.values():
            if run["status"] not in _FINAL:
                yield Fault(UNACCOUNTED, f"{run['run_id']} is still {run['status']}")

    def no_slot_is_invented(self) -> Iterator[Fault]:
        """No slot is recorded off its job's grid, or while its job was off."""
        for job in self.expected.values():
            for sentence in job.drifts:
                yield Fault(OTHER, sentence)
        recorded = {job_id: set(slots) for job_id, slots in self.decided.items()}
        for job_id, spans in self.spans.items():
            ends = {at for first, last, _ in spans for at in (first, last)}
            recorded.setdefault(job_id, set()).update(ends)
        for job_id, slots in recorded.items():
            owner = self.expected.get(job_id)
            if owner is None and self.keys.get(job_id) in self.fleeting:
                continue
            if owner is None:
                yield Fault(OTHER, f"{job_id} has slots, and nobody was told of it")
                continue
            for at in sorted(slots - owner.demanded):
                if not owner.allows(at):
                    yield Fault(OTHER, f"cron|{job_id}|{at} ({owner.kind}) was never due")

    def the_ledger_counts_the_same(self) -> Iterator[Fault]:
        """The ledger expects what is recorded here, job by job, and every slot has an outcome."""
        for job_id, ledger in self.ledgers.items():
            for event_id in ledger["unaccounted"]:
                yield Fault(UNACCOUNTED, f"the ledger does not account for {event_id}")
            if ledger["outcomes"]["in_flight"]:
                count = ledger["outcomes"]["in_flight"]
                yield Fault(UNACCOUNTED, f"{count} slots of {job_id} are still in flight")
            recorded = self._recorded(job_id)
            if ledger["expected"] != recorded:
                yield Fault(
                    UNACCOUNTED,
                    f"the ledger expects {ledger['expected']} slots of {job_id}, and {recorded} "
                    "are on record",
                )

    def _recorded(self, job_id: str) -> int:
        """How many slots of the job have anything on record.

        A slot may be in a span twice: missed, run late by policy, and interrupted in that.
        """
        spans = {span for span in self.spans.get(job_id, ()) if span[0] != span[1]}
        single = {first for first, last, _ in self.spans.get(job_id, ()) if first == last}
        slots = sorted(self.decided[job_id] | single)
        inside = set[int]()
        for first, last, _ in spans:
            inside.update(slots[bisect_left(slots, first) : bisect(slots, last)])
        return len(slots) - len(inside) + sum(count for _, _, count in spans)

    def runs_did_what_is_recorded(self) -> Iterator[Fault]:
        """A success has its lines; a line has its run, which was admitted before it."""
        wrote: dict[str, set[str]] = defaultdict(set)
        for did in self.lines:
            wrote[did.run_id].add(did.phase)
            run = self.runs.get(did.run_id)
            if run is None:
                yield Fault(LOST, f"{did.run_id} did its work, and no run is on record")
            elif run["event_id"] is not None and run["event_id"] != did.event_id:
                yield Fault(OTHER, f"{did.run_id} was told that it is {did.event_id}")
            elif run["attempt"] != did.attempt:
                yield Fault(OTHER, f"{did.run_id} was told that it is attempt {did.attempt}")
            elif run["started_at"] is None:
                yield Fault(OTHER, f"{did.run_id} did its work, and is {run['status']}")
        for run in self.runs.values():
            if run["status"] == "success":
                job = self.expected.get(run["job_id"])
                ends = job is not None and KINDS[job.kind].ends
                if lacking := {"start", *(["end"] if ends else [])} - wrote[run["run_id"]]:
                    yield Fault(LOST, f"{run['run_id']} is a success without its {lacking} line")

    def log_and_tables_agree(self) -> Iterator[Fault]:
        """Folding the event log gives the runs as they are."""
        for run_id in self.told.keys() ^ self.runs.keys():
            where = "the log" if run_id in self.told else "the list of runs"
            yield Fault(LOST, f"{run_id} is in {where} alone")
        for run_id in self.told.keys() & self.runs.keys():
            told, is_now = self.told[run_id]["status"], self.runs[run_id]["status"]
            if told != is_now:
                yield Fault(OTHER, f"{run_id} is {is_now}, and the log says {told}")

    # -- how much was looked at

    def figures(self) -> dict[str, Any]:
        done = Counter(w["operation"] for w in self.writes if w["phase"] == "acknowledged")
        missed = sum(count for spans in self.spans.values() for _, _, count in spans)
        return {
            "acknowledged": dict(sorted(done.items())),
            "sent_again": sum(w.get("tries", 1) > 1 for w in self.writes),
            "jobs": len(self.expected),
            "slots_demanded": sum(len(job.demanded) for job in self.expected.values()),
            "slots_recorded": sum(self._recorded(job_id) for job_id in self.expected),
            "runs": dict(sorted(Counter(r["status"] for r in self.runs.values()).items())),
            "slots_skipped": sum(self.skips.values()),
            "slots_missed": missed,
            "lines": len(self.lines),
            "events": len(self.events),
            "followers": len(self.followers),
        }


def _lines(evidence: Evidence) -> Iterator[Did]:
    """What the children wrote."""
    if not evidence.lines.exists():
        return
    for line in evidence.lines.read_text(encoding="utf-8").splitlines():
        phase, event_id, run_id, attempt, trigger, at = line.split()
        yield Did(phase, event_id, run_id, int(attempt), trigger, float(at))


def check(evidence: Evidence) -> Verdict:
    """Hold everything in the evidence against everything else."""
    return Checker(evidence).verdict()


def summary(verdict: Verdict, *, kills: int, seed: int) -> str:
    """One line for people."""
    line = f"{kills} kills, seed {seed}: " + ", ".join(
        f"{verdict.count(sort)} {sort}" for sort in (LOST, TWICE, UNACCOUNTED)
    )
    others = verdict.count(OTHER)
    return line + (f", {others} other faults" if others else "")


def sorts(faults: Iterable[Fault]) -> set[str]:
    """Which sorts of faults there are."""
    return {fault.sort for fault in faults}
