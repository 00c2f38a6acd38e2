"""The gateway's HTTP contract, for the other side of what a page shows."""

import time
from collections.abc import Callable
from typing import Any, Self

import httpx

from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess

_POLL_SECONDS = 0.05


class Api:
    """An operator's program beside the browser."""

    def __init__(self, gateway: GatewayProcess, token: str | None = None) -> None:
        headers = {} if token is None else {"X-UA-OPS-TOKEN": token}
        self._http = httpx.Client(
            base_url=gateway.base_url, headers=headers, trust_env=False, timeout=PATIENCE_SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The answer. Raises for anything but success, as all of these do."""
        return self._answer(self._http.get(path, params=parameters))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._answer(self._http.post(path, json=body))

    def put(self, path: str, **body: Any) -> dict[str, Any]:
        return self._answer(self._http.put(path, json=body))

    def create(self, title: str, **fields: Any) -> str:
        """A job's id. It prints a word, and is not due before tomorrow unless the fields say so."""
        if not {"every", "cron_expr", "run_at", "schedule"} & set(fields):
            fields["run_at"] = "in 40 hours"
        fields = {"command": "echo done", "runner": "shell", **fields}
        job = self.post("/api/v1/cron/jobs", title=title, **fields)["job"]
        return str(job["job_id"])

    def run(self, job_id: str, wait_seconds: int = 0) -> dict[str, Any]:
        """Start a run beside the schedule."""
        run: dict[str, Any] = self.post(
            f"/api/v1/cron/jobs/{job_id}/run", wait_seconds=wait_seconds
        )["run"]
        return run

    def runs(self, job_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/v1/cron/jobs/{job_id}/runs")["runs"]
        return found

    def flag(self, name: str, value: str | None) -> None:
        """Turn a flag at run time."""
        self._answer(self._http.patch("/api/v1/ops/flags", json={name: value}))

    def figure(self, part: str, name: str) -> int:
        """A figure of the scheduling-runtime document."""
        metrics = self.get("/api/v1/ops/metrics/scheduling-runtime")["metrics"]
        return int(metrics[part][name])

    def stasis(self) -> dict[str, dict[str, Any]]:
        """What waits for a decision, by title."""
        queue = self.get("/api/v1/ops/stasis")["stasis_queue"]
        return {item["event"]["title"]: item for item in queue}

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, response.text
        document: dict[str, Any] = response.json()
        return document


def until(holds: Callable[[], bool]) -> None:
    """Return once it is true. Raises AssertionError when it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(_POLL_SECONDS)
