"""Lists of large entries come in pages that fit into an answer."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.histories import History
from universal_agent.api.app import create_app
from universal_agent.domain.job_draft import JobDraft
from universal_agent.testing import ManualClock
from universal_agent.views.filled import MAX_BYTES

JOBS = 200
COMMAND = "true " + "x" * 60_000


@pytest.fixture
async def client(tmp_path: Path, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway with jobs that are 12 MB together."""
    history = await History.begin(tmp_path, clock)
    for number in range(JOBS):
        await history.runtime.jobs.create(
            JobDraft(command=COMMAND, runner="shell", every="1d", title=str(number))
        )
    transport = httpx.ASGITransport(create_app(history.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await history.end()


async def page(client: httpx.AsyncClient, path: str, **asked: Any) -> dict[str, Any]:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.content) < MAX_BYTES + 200_000
    document: dict[str, Any] = answer.json()
    return document


async def test_jobs_with_long_commands_are_all_reached_page_by_page(
    client: httpx.AsyncClient,
) -> None:
    titles: list[str] = []
    cursor: dict[str, str] = {}
    pages = 0
    while True:
        jobs = await page(client, "/api/v1/cron/jobs", limit=5000, **cursor)
        assert jobs["total"] == JOBS
        titles += [job["title"] for job in jobs["jobs"]]
        pages += 1
        if jobs["next_cursor"] is None:
            break
        cursor = {"cursor": jobs["next_cursor"]}
    assert pages == 2
    assert sorted(map(int, titles)) == list(range(JOBS))


async def test_large_events_are_all_reached_by_replay(client: httpx.AsyncClient) -> None:
    seqs: list[int] = []
    more, pages = True, 0
    while more:
        found = await page(
            client,
            "/api/v1/ops/scheduling/events",
            limit=5000,
            since_seq=seqs[-1] if seqs else 0,
        )
        assert not found["gap"]
        seqs += [event["seq"] for event in found["events"]]
        more, pages = found["has_more"], pages + 1
    assert pages == 2
    assert seqs == list(range(1, JOBS + 1))


async def test_the_audit_of_large_changes_is_all_reached(client: httpx.AsyncClient) -> None:
    seqs: list[int] = []
    more, pages = True, 0
    while more:
        before = {"before_seq": seqs[-1]} if seqs else {}
        found = await page(client, "/api/v1/ops/audit", limit=1000, **before)
        seqs += [entry["seq"] for entry in found["entries"]]
        more, pages = found["has_more"], pages + 1
    assert pages == 2
    assert seqs == list(range(JOBS, 0, -1))
