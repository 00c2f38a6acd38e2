"""Values that no clock, number or text can hold, in every parameter and field of every route."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.served import Served, served
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity

#: Not an event id, or one beyond all schedules.
EVENT_IDS = (
    "cron|{job}|999999999999",
    "cron|{job}|253402300800",
    "cron|{job}|253402300799",
    "cron|{job}|253086854400",
    "heartbeat|{session}|999999999999",
    "cron|{job}|-1",
    "cron|{job}|nan",
    "cron|{job}|1e300",
    "cron|{job}|1.5",
    "cron|{job}|٣",
    "cron|{job}|" + "9" * 100,
    "cron|..|1",
    "session|{job}|1",
    "|||",
)

#: In a path or a query.
TEXTS = (
    *("nan", "inf", "-inf", "1e300", "-1", "1.5", "1e-300", "9" * 18, "9" * 400, "٣", "", " "),
    *("9223372036854775808", "\x00", "\ud800", "..", "é" * 3000, "99999-01-01", "in 1e9 years"),
)

#: In a body, as JSON or what pretends to be.
JSON_VALUES = (
    *("NaN", "Infinity", "1e300", "1e999", "-1", "1e-300", "1.5", "9223372036854775808"),
    *("1" + "0" * 300, "true", "null", "[]", "{}", '""', '"nan"', '"1e300"', '"99999-01-01"'),
    *(r'"\u0000"', r'"\ud800"', r'"\u001b[2J"', '["x"]', "[1e300]", '{"a": NaN}', '{"a": 1e300}'),
    *(r'{"\u0000": 1}', '{"a": 9223372036854775808}', '"' + "x" * 70_000 + '"'),
)

#: What a request must have before one of its values is replaced.
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/cron/jobs": {"command": "true", "every": "1h"},
    "/api/v1/cron/preview": {"every": "1h"},
    "/api/v1/cron/jobs/{job_id}/run": {"wait_seconds": 0},
    "/api/v1/ops/calendar/events/{event_id}/action": {"action": "pause"},
    "/api/v1/ops/calendar/events/{event_id}/change-request": {"instruction": "every 2 hours"},
    "/api/v1/ops/calendar/events/{event_id}/change-request/confirm": {
        "proposal_id": "none",
        "approve": False,
    },
    "/api/v1/ops/calendar/events/{event_id}/exception": {"skip": True},
    "/api/v1/ops/stasis/bulk": {"event_ids": ["{event}"], "action": "reschedule"},
    "/api/v1/dashboard/notifications/{notification_id}": {"status": "snoozed"},
    "/api/v1/dashboard/notifications/bulk": {"ids": ["note_1"], "status": "snoozed"},
    "/api/v1/auth/login": {"token": "wrong"},
}

QUERIES = {
    "/api/v1/cron/jobs/{job_id}/run": {"wait_seconds": "0"},
    "/api/v1/ops/scheduling/stream": {"once": "1"},
    "/api/v1/ops/sessions/{session_id}": {"confirm": "true"},
    "/api/v1/ops/calendar/events": {"start": "now", "end": "in 1 hour"},
    "/api/v1/ops/calendar.ics": {"start": "now", "end": "in 1 hour"},
}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "data", cron_mock_response=True) as gateway:
        yield gateway


class Walk:
    """Every operation of the API's own description, with values to put into it."""

    def __init__(self, gateway: Served, document: dict[str, Any], ids: dict[str, str]) -> None:
        self._http = gateway.http
        self._document = document
        self._ids = ids
        #: What was answered wrongly.
        self.wrong: list[str] = []
        self.requests = 0

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    async def walk(self) -> None:
        for method, path, operation in self.operations():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] in ("path", "query"):
                    await self._parameter(method, path, parameter)
        for method, path, operation in self.operations():
            if "requestBody" in operation:
                await self._body(method, path, operation["requestBody"])

    async def _parameter(self, method: str, path: str, parameter: dict[str, Any]) -> None:
        name = parameter["name"]
        values: Sequence[str] = TEXTS
        if name == "once":
            values = tuple(value for value in TEXTS if value)  # else the stream has no end
        if name == "file_id":
            values = tuple(value for value in TEXTS if value != "1e-300")  # could be one
        if name == "event_id":
            values = (*values, *(text.format(**self._ids) for text in EVENT_IDS))
        for value in values:
            if parameter["in"] == "path":
                await self._send(method, path, f"{name}={value!r}", name, into={name: value})
            else:
                await self._send(method, path, f"{name}={value!r}", name, query={name: value})

    async def _body(self, method: str, path: str, body: dict[str, Any]) -> None:
        schema = body["content"]["application/json"]["schema"]
        for part in (schema, *schema.get("anyOf", ())):
            if "$ref" in part:
                schema = self._document["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
        base = {
            name: json.dumps(value).replace("{event}", self._ids["event_id"])
            for name, value in BODIES.get(path, {}).items()
        }
        fields = schema.get("properties") or ["UA_SCHED_PUSH_ENABLED"]
        for name in fields:
            values: Sequence[str] = JSON_VALUES
            if name == "event_ids":
                values = (*values, *(json.dumps([text.format(**self._ids)]) for text in EVENT_IDS))
            if name == "group":
                values = (*values, *(json.dumps(text.format(**self._ids)) for text in EVENT_IDS))
            for value in values:
                members = ",".join(f'"{n}":{v}' for n, v in {**base, name: value}.items())
                content = "{" + members + "}"
                what = f"{name}={value[:80]}"
                await self._send(method, path, what, name, content=content)

    async def _send(
        self,
        method: str,
        path: str,
        what: str,
        name: str,
        *,
        into: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        content: str | None = None,
    ) -> None:
        self.requests += 1
        template = path
        for key, value in {**self._ids, **(into or {})}.items():
            path = path.replace("{" + key + "}", _quoted(value))
        pairs = {**QUERIES.get(template, {}), **(query or {})}
        url = path + "?" + "&".join(f"{key}={_quoted(value)}" for key, value in pairs.items())
        if content is None and method in ("POST", "PUT", "PATCH"):
            content = json.dumps(BODIES.get(template, {}))
        try:
            answer = await self._http.request(
                method,
                url,
                content=content and content.encode("utf-8", "surrogatepass"),
                headers={"Content-Type": "application/json"},
            )
        except httpx.HTTPError as error:
            self.wrong.append(f"{method} {path} {what}: {error!r}")
            return
        said = f"{method} {path} {what}: {answer.status_code} {answer.text[:200]}"
        if answer.status_code >= 500:
            self.wrong.append(said)
        if answer.status_code in (400, 422):
            field = answer.json().get("field") or ""
            if content is None and not field.startswith(name):
                self.wrong.append(f"{said} does not name {name}")
            if not field:
                self.wrong.append(f"{said} names nothing")


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


async def _ids(gateway: Served) -> dict[str, str]:
    made = await gateway.http.post("/api/v1/cron/jobs", json={"command": "true", "every": "1h"})
    job = made.json()["job"]
    ran = await gateway.http.post(f"/api/v1/cron/jobs/{job['job_id']}/run")
    session_id = await gateway.session()
    now = gateway.runtime.clock.now()
    await gateway.runtime.notifier.tell(
        Notification(
            notification_id="note_1",
            kind=Kind.MISSED,
            severity=Severity.WARNING,
            title="Slots were missed",
            message="while the gateway was off",
            source_ref=job["job_id"],
            session_id=None,
            incident="of a test",
            is_open=False,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
        )
    )
    return {
        "job": job["job_id"],
        "session": session_id,
        "job_id": job["job_id"],
        "run_id": ran.json()["run"]["run_id"],
        "session_id": session_id,
        "notification_id": "note_1",
        "event_id": f"cron|{job['job_id']}|{int(job['next_run_at'])}",
    }


@pytest.mark.timeout(180)
async def test_no_value_of_any_parameter_or_field_is_an_internal_error(gateway: Served) -> None:
    document = (await gateway.http.get("/api/openapi.json")).json()
    walk = Walk(gateway, document, await _ids(gateway))
    await walk.walk()
    assert walk.requests > 2000
    assert walk.wrong == []
