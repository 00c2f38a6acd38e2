"""What can be set up and decided on the page, as the gateway then has it."""

import json

from playwright.sync_api import expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.accessibility import violations
from tests.browser.api import Api, until
from tests.browser.conftest import MakeGateway, Visit
from universal_agent.clock import SystemClock


def test_a_slot_is_skipped_moved_and_taken_back_in_its_drawer(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    day = SystemClock().now().date()
    with Api(gateway) as api:
        noon = f"{day.year + 1}-01-15"
        job_id = api.create("Decided", run_at=f"{noon}T12:00:00Z")

        def state() -> tuple[str, str | None, bool]:
            feed = api.get(
                "/api/v1/ops/calendar/events",
                start=f"{noon}T00:00:00Z",
                end=f"{noon}T23:59:59Z",
                source_ref=job_id,
            )
            event = next(each for each in feed["events"] if "T12:00" in each["scheduled_at_utc"])
            return event["status"], event["reason"], "moved_to_utc" in event

        page = visit(gateway).open(f"/calendar?view=day&date={noon}")
        page.get_by_role("button", name="Decided, cron").click()
        drawer = page.get_by_role("dialog", name="Decided")
        drawer.get_by_role("button", name="Skip", exact=True).click()
        until(lambda: state()[:2] == ("disabled", "operator"))
        drawer.get_by_role("button", name="Take the skip back").click()
        until(lambda: state() == ("scheduled", None, False))
        drawer.get_by_role("button", name="Move…").click()
        dialog = page.get_by_role("dialog", name="Move Decided")
        dialog.get_by_role("textbox", name="When").fill(f"{noon}T15:00")
        dialog.get_by_role("button", name="Move", exact=True).click()
        until(lambda: state()[2])
        drawer.get_by_role("button", name="Move it back").click()
        until(lambda: state() == ("scheduled", None, False))
        drawer.get_by_role("button", name="Run early").click()
        until(lambda: len(api.runs(job_id)) == 1)


def test_a_session_gets_a_name_a_checklist_and_an_interval(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    page = visit(gateway).open("/sessions")
    page.get_by_role("button", name="Create a session").click()
    create = page.get_by_role("dialog", name="Create a session")
    create.get_by_label("Name").fill("home-server")
    create.get_by_label("Checklist").fill("- [ ] disk: `true`\n")
    create.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("button", name="home-server", exact=True).click()
    drawer = page.get_by_role("dialog", name="home-server", exact=True)
    drawer.get_by_role("button", name="Set up heartbeat…").click()
    dialog = page.get_by_role("dialog", name="Heartbeat of home-server")
    expect(dialog).to_contain_text("1 check (disk), 0 lines for an agent")
    assert violations(page) == []
    dialog.get_by_label("Interval").fill("2h")
    dialog.get_by_label("Report that all is well").select_option(label="Yes")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    with Api(gateway) as api:
        (beat,) = api.get("/api/v1/heartbeat/last")["heartbeats"].values()
        assert (beat["workspace_dir"], beat["schedule"]["every_seconds"]) == ("home-server", 7200)
        files = api.get("/api/v1/heartbeat/files", session_id=beat["session_id"])
        assert files["checklist"] == "- [ ] disk: `true`\n"
        assert json.loads(files["config"]) == {"every": "2h", "visibility": {"show_ok": True}}


def test_every_part_of_a_job_can_be_written_on_the_page(
    gateway: GatewayProcess, visit: Visit
) -> None:
    with Api(gateway) as api:
        job_id = api.create("Half known")
        page = visit(gateway).open(f"/jobs/{job_id}")
        page.get_by_role("button", name="Edit…").click()
        dialog = page.get_by_role("dialog", name="Edit the job")
        for title in ("Missed and overlapping slots", "Failures and retries"):
            dialog.get_by_text(title, exact=True).click()
        dialog.get_by_text("Runner, session and tags", exact=True).click()
        dialog.get_by_label("Useful for").fill("2h")
        dialog.get_by_label("When a slot was missed").select_option(label="Run the latest")
        dialog.get_by_label("Retries", exact=True).fill("3")
        dialog.get_by_label("Waits between attempts").fill("10s, 1m")
        dialog.get_by_label("Its output has").fill("limit reached")
        dialog.get_by_label("Tags").fill("mail, daily")
        assert violations(page) == []
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_text("“limit reached” in the output")).to_be_visible()
        job = api.get(f"/api/v1/cron/jobs/{job_id}")["job"]
        assert job["useful_for_seconds"] == 7200
        assert (job["on_miss"], job["retries"]) == ("run_latest", 3)
        assert job["retry_backoff"] == [10, 60]
        assert job["fail_on"]["output"] == ["limit reached"]
        assert job["metadata"]["tags"] == ["mail", "daily"]
        page.get_by_role("link", name="daily").click()
        rows = page.get_by_role("table").get_by_role("row")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("Half known")


def test_jobs_are_sorted_and_paused_together(make_gateway: MakeGateway, visit: Visit) -> None:
    gateway = make_gateway()
    with Api(gateway) as api:
        ids = [api.create(f"Job {number}") for number in (10, 2, 1)]
        page = visit(gateway).open("/jobs")
        page.get_by_role("button", name="Job", exact=True).click()
        titles = page.get_by_role("table").get_by_role("link", name="Job")
        expect(titles).to_have_text(["Job 1", "Job 2", "Job 10"])
        page.get_by_role("button", name="Job", exact=True).click()
        expect(titles).to_have_text(["Job 10", "Job 2", "Job 1"])
        page.get_by_role("checkbox", name="Select all").check()
        page.get_by_role("region", name="Selected").get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Paused 3 jobs")).to_be_visible()
        assert not any(api.get(f"/api/v1/cron/jobs/{job_id}")["job"]["enabled"] for job_id in ids)


def test_a_log_is_downloaded_whole(gateway: GatewayProcess, visit: Visit) -> None:
    with Api(gateway) as api:
        job_id = api.create("Long", command="seq 1 12000")
        run_id = api.run(job_id, wait_seconds=30)["run_id"]
    page = visit(gateway).open(f"/logs?job={job_id}&run={run_id}")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    text = saved.value.path().read_text(encoding="utf-8")
    assert text == "".join(f"{number}\n" for number in range(1, 12001))
    assert saved.value.suggested_filename == f"{run_id}.log"
