"""F28: a request with a key is under way when the gateway is killed, and is sent again."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import httpx

from chaos.checker import LOST, OTHER, TWICE, Fault
from chaos.evidence import Record
from chaos.faults.shift import Shift
from chaos.faults.site import Site, site
from chaos.faults.trial import Round

#: In this time a job of every five minutes misses eleven slots; none is near its end.
_AWAY = 3500

#: Groups of missed slots that one bulk decision is about.
_GROUPS = 8

#: Kills in a round, and in the suite's form.
_KILLS, _BRIEF_KILLS = 20, 5

#: Seconds after a request was sent in which the kill comes, and how many kills come right after
#: its answer instead.
_WITHIN = 0.05
_ANSWERED = 0.3

#: The header that makes a request one.
KEY = "Idempotency-Key"


@dataclass(frozen=True)
class Case:
    """A request, and how often its effect is there."""

    path: str
    body: Record
    count: Callable[[], int]


def trial(this: Round) -> Iterator[Fault]:
    """Kill, start, send again: each effect once, and an answer that was given stays the same."""
    shift = Shift(this.folder)
    shift.set(-_AWAY)
    # Sessions bring beats, of which the checker is not told.
    environment = {**shift.environment, "UA_ENABLE_HEARTBEAT": "0"}
    with site(this.folder, argv=shift.argv, environment=environment) as at:
        at.offset = -_AWAY
        fields = {"every": "5m", "misfire_grace_seconds": 0}
        jobs = [at.add(kind="five", **fields) for _ in range(_GROUPS)]
        at.gateway.stop()
        shift.set(0)
        at.offset = 0
        at.gateway.start()
        yield from _decide_all(at, this, {job["job_id"] for job in jobs})
        for number in range(_BRIEF_KILLS if this.brief else _KILLS):
            make = _CASES[number % len(_CASES)]
            yield from _one(at, this, make(at, number), f"{make.__name__[1:]} {number}")
        yield from at.account()


def _one(at: Site, this: Round, case: Case, name: str) -> Iterator[Fault]:
    answer = yield from _killed_meanwhile(at, this, case.path, case.body, name)
    if answer.status_code != 200:
        yield Fault(LOST, f"{name} was answered {answer.status_code} when it came again")
    count = case.count()
    if count != 1:
        yield Fault(TWICE if count else LOST, f"{name}: its effect is there {count} times")


def _decide_all(at: Site, this: Round, job_ids: set[str]) -> Iterator[Fault]:
    """A bulk decision that breaks off goes on, and says what the first would have said."""
    items = at.get("/api/v1/ops/stasis")["stasis_queue"]
    (outage,) = {item["outage_id"] for item in items}
    body = {"outage": outage, "action": "delete_missed"}
    answer = yield from _killed_meanwhile(at, this, "/api/v1/ops/stasis/bulk", body, "bulk")
    document = answer.json()
    if (answer.status_code, document.get("done")) != (200, len(job_ids)):
        yield Fault(LOST, f"a bulk decision was answered {answer.status_code}: {document}")
        return
    for result in document["results"]:
        at.decide(result["event_id"], {**result, "action": "delete_missed"})
    made = Counter(event["source_ref"] for event in at.events("calendar_missed_resolved"))
    if made != Counter(job_ids):
        yield Fault(TWICE, f"{len(job_ids)} groups were decided {sum(made.values())} times")


def _killed_meanwhile(
    at: Site, this: Round, path: str, body: Record, key: str
) -> Generator[Fault, None, httpx.Response]:
    """Send a request, kill the gateway, start it, and send the same again; the last answer."""
    headers = {KEY: f"repeat {key}"}
    first: list[httpx.Response] = []

    def send() -> None:
        try:
            first.append(httpx.post(at.gateway.base_url + path, json=body, headers=headers))
        except httpx.TransportError:
            return  # the gateway died before it could answer

    sender = threading.Thread(target=send)
    sender.start()
    if this.rng.random() < _ANSWERED:
        sender.join()
    else:
        time.sleep(this.rng.uniform(0, _WITHIN))
    at.gateway.kill()
    sender.join()
    at.gateway.start()
    again = at.ask("POST", path, body, headers=headers)
    if first and first[0].content != again.content:
        yield Fault(OTHER, f"{key}: {first[0].text} was answered, and then {again.text}")
    return again


# -- what is sent


def _session(at: Site, number: int) -> Case:
    user = f"user-{number}"

    def count() -> int:
        return len(at.get("/api/v1/ops/sessions", owner=user)["sessions"])

    return Case("/api/v1/sessions", {"user_id": user}, count)


def _job(at: Site, number: int) -> Case:
    title = f"made {number}"
    return Case("/api/v1/cron/jobs", _daily(title), lambda: len(_titled(at, title)))


def _pause(at: Site, number: int) -> Case:
    path, job_id = _event_of_new_job(at, f"paused {number}")
    return Case(f"{path}/action", {"action": "pause"}, lambda: _edits(at, job_id))


def _confirmation(at: Site, number: int) -> Case:
    path, job_id = _event_of_new_job(at, f"confirmed {number}")
    asked = at.ask("POST", f"{path}/change-request", {"instruction": "every day at 9am"})
    proposal_id = asked.raise_for_status().json()["proposal"]["proposal_id"]
    body = {"proposal_id": proposal_id, "approve": True}
    return Case(f"{path}/change-request/confirm", body, lambda: _edits(at, job_id))


_CASES = (_session, _job, _pause, _confirmation)


def _daily(title: str) -> Record:
    fields = {"every": "1d", "command": "true", "runner": "shell"}
    return {"title": title, "metadata": {"key": title, "kind": "daily"}, **fields}


def _event_of_new_job(at: Site, title: str) -> tuple[str, str]:
    job = at.ask("POST", "/api/v1/cron/jobs", _daily(title)).raise_for_status().json()["job"]
    event_id = f"cron|{job['job_id']}|{int(job['next_run_at'])}"
    return f"/api/v1/ops/calendar/events/{event_id}", job["job_id"]


def _titled(at: Site, title: str) -> list[Record]:
    return [job for job in at.get("/api/v1/cron/jobs")["jobs"] if job["title"] == title]


def _edits(at: Site, job_id: str) -> int:
    return sum(event["source_ref"] == job_id for event in at.events("cron_job_updated"))
