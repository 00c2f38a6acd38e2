"""Sessions over HTTP: kept, resumed, gone for good; each in a workspace of its own."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.served import Served, served


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "data") as gateway:
        yield gateway


async def make(gateway: Served, **fields: Any) -> httpx.Response:
    return await gateway.http.post("/api/v1/sessions", json=fields)


async def notifications(gateway: Served) -> list[tuple[str, str]]:
    answer = await gateway.http.get("/api/v1/dashboard/notifications")
    found = answer.json()["notifications"]
    return [(n["kind"], n["metadata"]["code"]) for n in reversed(found)]


class TestComingAndGoing:
    async def test_a_new_session_has_a_workspace_beats_and_an_event(self, gateway: Served) -> None:
        made = (await make(gateway, user_id="ada", metadata={"theme": "dark"})).json()
        root = gateway.runtime.settings.workspaces_root.absolute()
        assert made["workspace_dir"] in map(str, root.iterdir())
        assert (made["user_id"], made["metadata"]) == ("ada", {"theme": "dark"})
        beat = await gateway.http.get(
            "/api/v1/heartbeat/last", params={"session_id": made["session_id"]}
        )
        assert beat.json()["next_run"] is not None
        page = await gateway.http.get("/api/v1/ops/scheduling/events")
        assert [e["source"] for e in page.json()["events"] if e["type"] == "session_created"] == [
            "session"
        ]
        assert (await gateway.continuity())["sessions_created"] == 1

    async def test_a_deleted_session_never_comes_back(self, gateway: Served) -> None:
        session_id = await gateway.session()
        path = f"/api/v1/sessions/{session_id}"
        assert (await gateway.http.delete(path)).json()["status"] == "deleted"
        for _ in range(4):
            assert (await gateway.http.get(path)).status_code == 404
        assert (await gateway.http.delete(path)).status_code == 404
        assert (await gateway.http.get("/api/v1/sessions")).json()["total"] == 0
        beat = await gateway.http.get("/api/v1/heartbeat/last", params={"session_id": session_id})
        assert beat.status_code == 404

    async def test_asking_for_what_is_not_there_is_no_failure_to_resume(
        self, gateway: Served
    ) -> None:
        for _ in range(4):
            assert (await gateway.http.get("/api/v1/sessions/ses_nobody")).status_code == 404
        figures = await gateway.continuity()
        assert (figures["resume_attempts"], figures["continuity_status"]) == (0, "ok")
        assert (figures["resume_success_rate"], figures["attach_success_rate"]) == (None, None)

    async def test_a_session_is_resumed_once_after_a_restart(self, tmp_path: Path) -> None:
        async with served(tmp_path / "data") as gateway:
            session_id = await gateway.session()
        async with served(tmp_path / "data") as gateway:
            for _ in range(3):
                answer = await gateway.http.get(f"/api/v1/sessions/{session_id}")
                assert answer.status_code == 200
            figures = await gateway.continuity()
        assert (figures["resume_attempts"], figures["resume_successes"]) == (1, 1)

    async def test_the_operator_deletes_only_what_they_have_confirmed(
        self, gateway: Served
    ) -> None:
        path = f"/api/v1/ops/sessions/{await gateway.session()}"
        assert (await gateway.http.delete(path)).status_code == 400
        assert (await gateway.http.get(path)).json()["runs"] == []
        assert (await gateway.http.delete(path, params={"confirm": "true"})).status_code == 200

    async def test_sessions_are_found_by_owner_source_and_status_in_pages(
        self, gateway: Served
    ) -> None:
        ada = [await gateway.session(user_id="ada", source="cli") for _ in range(3)]
        bob = await gateway.session(user_id="bob")

        async def find(**params: Any) -> Any:
            return (await gateway.http.get("/api/v1/ops/sessions", params=params)).json()

        first = await find(owner="ada", limit=2)
        rest = await find(owner="ada", limit=2, cursor=first["next_cursor"])
        found = [s["session_id"] for s in (*first["sessions"], *rest["sessions"])]
        assert (sorted(found), rest["next_cursor"]) == (sorted(ada), None)
        assert [s["session_id"] for s in (await find(source="api"))["sessions"]] == [bob]
        async with gateway.attached(bob) as client:
            await client.until("connected")
            active = (await find(status="active"))["sessions"]
            assert [s["session_id"] for s in active] == [bob]
            summary = (await gateway.http.get("/api/v1/dashboard/summary")).json()
        assert summary["sessions"] == {"active": 1, "total": 4}

    async def test_a_session_is_made_while_a_turn_of_another_one_runs(
        self, gateway: Served
    ) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="Think long")
            await gateway.agent.asked()
            await gateway.session()
            summary = (await gateway.http.get("/api/v1/dashboard/summary")).json()
        assert summary["sessions"]["total"] == 2

    async def test_the_log_of_a_session_is_that_of_its_latest_turn(self, gateway: Served) -> None:
        session_id = await gateway.session()
        tail = "/api/v1/ops/logs/tail"
        empty = await gateway.http.get(tail, params={"session_id": session_id})
        assert (empty.status_code, empty.json()["lines"]) == (200, [])
        async with gateway.attached(session_id) as client:
            await client.say("execute", user_input="Speak")
            gateway.agent.say("spoken")
            gateway.agent.stop()
            await client.until("query_complete")
        said = await gateway.http.get(tail, params={"session_id": session_id})
        assert said.json()["lines"] == ["spoken"]
        unknown = await gateway.http.get(tail, params={"session_id": "ses_nobody"})
        assert unknown.status_code == 404


class TestWorkspaces:
    @pytest.mark.parametrize(
        "folder", ["", ".", "..", "../x", "a/../..", "/etc", "a/../../etc", "x\x00y", "y" * 501]
    )
    async def test_no_session_works_on_or_outside_the_workspaces_folder(
        self, gateway: Served, folder: str
    ) -> None:
        assert (await make(gateway, workspace_dir=folder)).status_code in (400, 422)

    async def test_no_symbolic_link_leads_a_session_out(
        self, gateway: Served, tmp_path: Path
    ) -> None:
        root = gateway.runtime.settings.workspaces_root
        (root / "out").symlink_to(tmp_path)
        assert (await make(gateway, workspace_dir="out")).status_code == 400
        assert (await make(gateway, workspace_dir="out/side")).status_code == 400

    @pytest.mark.parametrize(
        ("folder", "accepted"),
        [
            ("x" * 255, True),
            ("x" * 256, False),
            ("a/" + "é" * 127, True),
            ("é" * 128 + "/a", False),
        ],
    )
    async def test_a_workspace_that_no_file_system_can_hold_is_refused(
        self, gateway: Served, folder: str, accepted: bool
    ) -> None:
        session = await make(gateway, workspace_dir=folder)
        job = {"command": "true", "every": "1d", "workspace_dir": folder}
        made = await gateway.http.post("/api/v1/cron/jobs", json=job)
        assert session.is_success is made.is_success is accepted
        if not accepted:
            assert made.status_code == session.status_code == 400
            assert "255 bytes" in made.json()["detail"]

    async def test_nobody_gets_another_users_session_by_naming_its_folder(
        self, gateway: Served
    ) -> None:
        mine = (await make(gateway, user_id="ada", workspace_dir="team/ada")).json()
        root = gateway.runtime.settings.workspaces_root.absolute()
        for folder in ("team/ada", "team/ada/deep", "team", f"{root}/team/ada", "team//ada/."):
            assert (await make(gateway, user_id="bob", workspace_dir=folder)).status_code == 409
        assert (await make(gateway, user_id="bob", workspace_dir="team/ada2")).status_code == 200
        again = (await make(gateway, user_id="ada", workspace_dir="team/ada")).json()
        assert again["session_id"] == mine["session_id"]

    async def test_what_a_deleted_session_left_is_not_for_others(self, gateway: Served) -> None:
        session_id = await gateway.session(user_id="ada", workspace_dir="diary")
        await gateway.http.delete(f"/api/v1/sessions/{session_id}")
        assert (await make(gateway, user_id="bob", workspace_dir="diary")).status_code == 409
        assert (await make(gateway, user_id="ada", workspace_dir="diary")).status_code == 200

    async def test_no_job_of_another_user_works_in_a_sessions_folder(self, gateway: Served) -> None:
        await gateway.session(user_id="ada", workspace_dir="team/ada")
        jobs = "/api/v1/cron/jobs"

        async def job(**fields: str) -> int:
            body = {"command": "true", "every": "1h", **fields}
            return (await gateway.http.post(jobs, json=body)).status_code

        for folder in ("team/ada", "team/ada/deep", "team"):
            assert await job(user_id="bob", workspace_dir=folder) == 409
            assert await job(workspace_dir=folder) == 409
            assert await job(user_id="ada", workspace_dir=folder) == 200
        made = await gateway.http.post(
            jobs, json={"command": "true", "every": "1h", "user_id": "bob"}
        )
        bobs = f"{jobs}/{made.json()['job']['job_id']}"
        moved = await gateway.http.put(bobs, json={"workspace_dir": "team/ada"})
        assert (moved.status_code, moved.json()["field"]) == (409, "workspace_dir")
        assert (await gateway.http.put(bobs, json={"title": "still bob's"})).status_code == 200

    async def test_no_session_is_made_where_a_job_of_another_user_works(
        self, gateway: Served
    ) -> None:
        body = {"command": "true", "every": "1h", "user_id": "bob", "workspace_dir": "team/bob"}
        made = (await gateway.http.post("/api/v1/cron/jobs", json=body)).json()["job"]
        await gateway.http.delete(f"/api/v1/cron/jobs/{made['job_id']}")
        for folder in ("team/bob", "team", "team/bob/deep"):
            assert (await make(gateway, user_id="ada", workspace_dir=folder)).status_code == 409
        assert (await make(gateway, user_id="bob", workspace_dir="team/bob")).status_code == 200
        assert (await make(gateway, user_id="ada", workspace_dir="team/ada")).status_code == 200

    @pytest.mark.parametrize("swapped", ["team/ada", "team", ""])
    async def test_a_folder_that_became_a_link_is_not_followed_after_a_restart(
        self, tmp_path: Path, swapped: str
    ) -> None:
        async with served(tmp_path / "data") as gateway:
            session_id = await gateway.session(workspace_dir="team/ada")
        outside = tmp_path / "outside"
        place = tmp_path / "data" / "workspaces" / swapped
        place.rename(outside)
        place.symlink_to(outside)
        before = sorted(outside.rglob("*"))
        async with served(tmp_path / "data") as gateway:
            answer = await gateway.http.get(f"/api/v1/sessions/{session_id}")
            assert answer.status_code == 503
        assert sorted(outside.rglob("*")) == before


class TestLogs:
    @pytest.mark.parametrize("kind", ["pipe", "folder", "link", "device"])
    async def test_a_log_that_is_no_regular_file_is_a_clear_error(
        self, gateway: Served, tmp_path: Path, kind: str
    ) -> None:
        body = {"command": "echo spoken", "every": "1h", "runner": "shell"}
        job = (await gateway.http.post("/api/v1/cron/jobs", json=body)).json()["job"]
        ran = await gateway.http.post(
            f"/api/v1/cron/jobs/{job['job_id']}/run", params={"wait_seconds": 30}
        )
        run_id = ran.json()["run"]["run_id"]
        (log,) = (tmp_path / "data" / "runs").glob(f"*/{run_id}.log")
        log.unlink()
        replace_by(kind, log, tmp_path)
        tail = "/api/v1/ops/logs/tail"
        answer = await gateway.http.get(tail, params={"run_id": run_id})
        assert answer.status_code == 503
        assert "expected a regular file" in answer.json()["detail"]
        inside = str(log.relative_to(tmp_path / "data"))
        named = await gateway.http.get(tail, params={"path": inside})
        assert (named.status_code, named.json()["field"]) == (400, "path")

    @pytest.mark.parametrize("kind", ["pipe", "link", "file"])
    async def test_a_folder_of_logs_that_is_none_is_a_clear_error(
        self, gateway: Served, tmp_path: Path, kind: str
    ) -> None:
        body = {"command": "echo spoken", "every": "1h", "runner": "shell"}
        job = (await gateway.http.post("/api/v1/cron/jobs", json=body)).json()["job"]
        run = f"/api/v1/cron/jobs/{job['job_id']}/run"
        ran = await gateway.http.post(run, params={"wait_seconds": 30})
        run_id = ran.json()["run"]["run_id"]
        (tmp_path / "data" / "runs").rename(tmp_path / "data" / "elsewhere")
        replace_by(kind, tmp_path / "data" / "runs", tmp_path / "data")
        answer = await gateway.http.get("/api/v1/ops/logs/tail", params={"run_id": run_id})
        assert answer.status_code == 503
        assert "expected a folder" in answer.json()["detail"]
        again = await gateway.http.post(run, params={"wait_seconds": 30})
        assert again.json()["run"]["status"] == "success", "its log is cut, the run goes on"


def replace_by(kind: str, path: Path, elsewhere: Path) -> None:
    """Put something in the place of a file."""
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            (elsewhere / "elsewhere").mkdir(exist_ok=True)
            path.symlink_to(elsewhere / "elsewhere")
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.touch()


class TestContinuity:
    async def test_sessions_that_cannot_be_resumed_are_told_once_and_their_end_once(
        self, tmp_path: Path
    ) -> None:
        async with served(tmp_path / "data") as gateway:
            session_id = await gateway.session(workspace_dir="here")
        folder = tmp_path / "data" / "workspaces" / "here"
        folder.rmdir()
        folder.write_text("in the way")
        async with served(tmp_path / "data") as gateway:
            for _ in range(4):
                answer = await gateway.http.get(f"/api/v1/sessions/{session_id}")
                assert answer.status_code == 503
            figures = await gateway.continuity()
            while len(await notifications(gateway)) < 2:
                await gateway.runtime.clock.sleep(0.01)
            told = await notifications(gateway)
        assert (figures["resume_failures"], figures["continuity_status"]) == (4, "degraded")
        alerts = [
            ("continuity_alert", "resume_success_rate_low"),
            ("continuity_alert", "resume_failures_high"),
        ]
        assert sorted(told) == sorted(alerts)
        folder.unlink()
        async with served(tmp_path / "data") as gateway:
            await gateway.http.get(f"/api/v1/sessions/{session_id}")
            while len(await notifications(gateway)) < 4:
                await gateway.runtime.clock.sleep(0.01)
            told = await notifications(gateway)
            assert (await gateway.continuity())["continuity_status"] == "ok"
        assert sorted(told) == sorted(
            alerts + [("continuity_recovered", code) for _, code in alerts]
        )
