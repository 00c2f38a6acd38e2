"""The flags of the rollout, turned in every way on a gateway that works."""

from itertools import product
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.acceptance.gateway import GatewayProcess
from tests.acceptance.test_push import CALENDAR, STREAM, add_job, client, payloads

PROJECTION = "UA_SCHED_EVENT_PROJECTION_ENABLED"
PUSH = "UA_SCHED_PUSH_ENABLED"
PAGE = "NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED"
NAMES = (PROJECTION, PUSH, PAGE)

Values = dict[str, str]

#: All eight, beginning and ending with the rollout's first and last stage.
COMBINATIONS: list[Values] = [
    dict(zip(NAMES, each, strict=True)) for each in product("01", repeat=3)
]


#: Of every calendar what must not change, in a window that does not move.
SAME = ("start_utc", "end_utc", "events", "always_running", "stasis_queue")


def calendar(http: httpx.Client, start: str = "", end: str = "") -> dict[str, Any]:
    """What the calendar says about the jobs that do not run by themselves meanwhile."""
    window = {"start": start, "end": end} if start else {}
    feed = http.get(CALENDAR, params={"owner": "default", **window}).json()
    return {name: feed[name] for name in SAME}


def make_history(gateway: GatewayProcess, http: httpx.Client) -> dict[str, Any]:
    """A job that has run, one to come, and one of somebody else that runs each second."""
    add_job(gateway, run_at="in 2 hours")
    (slot,) = calendar(http)["events"]
    early = f"/api/v1/ops/calendar/events/{quote(slot['event_id'])}/exception"
    assert http.post(early, json={"run_early": True}).is_success
    read_until(http, 0, "cron_run_completed")
    add_job(gateway, every="24h")
    body = {"command": "true", "every": "1s", "user_id": "other"}
    assert http.post("/api/v1/cron/jobs", json=body).is_success
    return calendar(http)


def read_until(http: httpx.Client, since_seq: int, kind: str) -> list[int]:
    """The seqs of the stream's events after one, up to and with the first of a type."""
    found: list[int] = []
    with http.stream("GET", STREAM, params={"since_seq": since_seq}) as response:
        for seq, payload in payloads(response):
            assert payload["kind"] != "reset", payload
            if payload["kind"] == "event":
                found.append(seq)
                if payload["event"]["type"] == kind:
                    return found
    raise AssertionError("the stream ended")


def check(http: httpx.Client, values: Values, expected: dict[str, Any]) -> None:
    """Everything follows the flags, and the calendar is the same whatever they say."""
    flags = http.get("/api/v1/ops/flags").json()["flags"]
    assert {name: flags[name]["value"] for name in NAMES} == {
        name: value == "1" for name, value in values.items()
    }
    assert calendar(http, expected["start_utc"], expected["end_utc"]) == expected
    state = http.get("/api/v1/ops/metrics/scheduling-runtime").json()["metrics"]
    assert state["projection_state"]["enabled"] is (values[PROJECTION] == "1")
    stream = http.get(STREAM, params={"since_seq": 0, "once": 1})
    assert stream.status_code == (200 if values[PUSH] == "1" else 503)
    page = http.get("/config").json()
    assert page["sched_push_enabled"] is (values[PUSH] == values[PAGE] == "1")
    assert http.get("/api/v1/ops/scheduling/events").is_success


def turn(http: httpx.Client, values: Values) -> None:
    answer = http.patch("/api/v1/ops/flags", json=values)
    assert answer.status_code == 200, answer.text


def test_flags_that_are_turned_while_the_gateway_runs_change_no_calendar_and_lose_no_event(
    gateway: GatewayProcess,
) -> None:
    seen: list[int] = []
    with client(gateway) as http:
        expected = make_history(gateway, http)
        for values in COMBINATIONS:
            turn(http, values | {PUSH: "1"})
            with http.stream("GET", STREAM, params={"since_seq": seen[-1] if seen else 0}) as open_:
                frames = payloads(open_)
                seen += [seq for seq, payload in [next(frames)] if payload["kind"] == "event"]
                turn(http, values)
                if values[PUSH] == "0":  # the stream ends by itself
                    seen += [seq for seq, payload in frames if payload["kind"] == "event"]
            check(http, values, expected)
        seen += read_until(http, seen[-1], "cron_run_completed")
        replay = http.get("/api/v1/ops/scheduling/events", params={"limit": 5000}).json()
        audit = http.get("/api/v1/ops/audit", params={"limit": 1000}).json()["entries"]

    assert seen == list(range(1, len(seen) + 1))
    assert [event["seq"] for event in replay["events"]][: len(seen)] == seen
    turned = [entry for entry in audit if entry["type"] == "flag_changed"]
    assert len(turned) == 2 * len(NAMES) * len(COMBINATIONS)
    assert all(entry["data"]["by"].startswith("operator") for entry in turned)


@pytest.mark.timeout(300)
def test_the_environment_at_a_start_wins_over_an_override_of_another_value_and_no_other(
    gateway: GatewayProcess,
) -> None:
    with client(gateway) as http:
        expected = make_history(gateway, http)
    before: Values | None = None
    for given in COMBINATIONS:
        gateway.environment |= given
        gateway.restart()
        opposite = {name: "1" if value == "0" else "0" for name, value in given.items()}
        in_force = {
            # What was overridden stays so for as long as the environment says what it had said.
            name: opposite[name] if before is not None and before[name] == given[name] else value
            for name, value in given.items()
        }
        with client(gateway) as http:
            check(http, in_force, expected)
            turn(http, opposite)
            check(http, opposite, expected)
            audit = http.get("/api/v1/ops/audit", params={"limit": 1000}).json()["entries"]
        dropped = {e["data"]["name"] for e in audit if e["data"].get("by") == "environment"}
        before = given
    assert dropped == set(NAMES)
