"""What the page shows is true, and says so when it is old."""

from pathlib import Path

from playwright.sync_api import expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit


def test_a_log_shows_each_line_once_when_its_run_ends(
    gateway: GatewayProcess, visit: Visit, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with Api(gateway) as api:
        job_id = api.create("Ten lines", command=f"seq 1 10; until [ -e {go} ]; do sleep 0.1; done")
        run_id = api.run(job_id)["run_id"]
        page = visit(gateway).open(f"/jobs/{job_id}?run={run_id}")
        drawer = page.get_by_role("dialog", name="Run")
        expect(drawer.get_by_text("10 lines", exact=True)).to_be_visible()
        with page.expect_response(
            lambda answer: "logs/tail" in answer.url and api.runs(job_id)[0]["status"] == "success"
        ):
            go.touch()
        success = drawer.get_by_role("definition").filter(has_text="success")
        expect(success).to_be_visible()
        # The run's end makes one more request, and what it brings is drawn.
        page.wait_for_function("() => new Promise((r) => requestAnimationFrame(() => r(true)))")
        expect(drawer.get_by_text("10 lines", exact=True)).to_be_visible()
        expect(drawer.get_by_text("20 lines", exact=True)).to_have_count(0)


def test_a_page_whose_gateway_is_gone_is_grey_and_says_since_when(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    visitor = visit(gateway)
    visitor.may_fail.add(gateway.base_url)
    page = visitor.open()
    balance = page.get_by_role("region", name="Accounts of the last 24 hours")
    expect(balance).to_contain_text("every slot is accounted for")
    gateway.kill()
    expect(page.get_by_role("alert")).to_contain_text("What is shown is from")
    expect(page.get_by_role("main")).to_have_css("filter", "grayscale(1)")
    expect(balance).to_contain_text("every slot was accounted for at")
    expect(balance).not_to_contain_text("every slot is accounted for")
    gateway.start()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("main")).to_have_css("filter", "none")


def test_the_tile_of_failures_opens_those_failures_however_often_the_job_runs(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    with Api(gateway) as api:
        (pulse,) = (
            job["job_id"] for job in api.get("/api/v1/cron/jobs")["jobs"] if job["title"] == "Pulse"
        )
        failed = api.get(f"/api/v1/cron/jobs/{pulse}/runs", status="error")["runs"]
        assert failed  # it has more than 288 slots a day
        page = visit(gateway).open()
        tile = page.get_by_role("link", name="failed in 24 h")
        ran = api.get("/api/v1/ops/scheduling/ledger")["outcomes"]["ran"]
        count = sum(ran.get(status, 0) for status in ("error", "timeout", "cancelled"))
        expect(tile).to_have_accessible_name(f"{count} failed in 24 h")
        tile.click()
        expect(page.get_by_role("heading", name="Logs")).to_be_visible()
        runs = page.get_by_role("region", name="Runs, newest first")
        expect(runs.get_by_role("button", name="Pulse").first).to_contain_text("error")
        item = runs.get_by_role("listitem").first
        expect(item).to_have_attribute("aria-setsize", str(count))


def test_a_heartbeat_whose_check_fails_is_failing_everywhere(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    with Api(gateway) as api:
        api.create("Something")
        session = api.post("/api/v1/sessions", workspace_dir="home-server")
        session_id = session["session_id"]
        beats = f"/api/v1/heartbeat/files?session_id={session_id}"
        api.put(beats, checklist="- [ ] disk: `false`\n", config='{"every": "1h"}')
        api.post("/api/v1/heartbeat/wake", session_id=session_id)
        page = visit(gateway).open()
        tile = page.get_by_role("link", name="heartbeats well")
        expect(tile).to_contain_text("0 / 1heartbeats well, 1 failing")
        expect(page.get_by_role("region", name="Heartbeats")).to_contain_text("alert")
        tile.click()
        expect(page.get_by_role("row", name="home-server")).to_contain_text("alert")
