"""Pools on the settings page: made, resized and removed; and how a job names one."""

from playwright.sync_api import expect

from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit


def test_a_pool_is_made_resized_named_by_a_job_and_removed(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    visitor = visit(gateway)
    visitor.may_fail.add("/api/v1/ops/pools/browser")  # it is refused while a job names the pool
    page = visitor.open("/settings")
    panel = page.get_by_role("region", name="Pools")
    expect(panel).to_contain_text("in reserve for light ones")
    panel.get_by_label("Name of a new pool").fill("browser")
    panel.get_by_label("Size of the new pool").fill("2")
    panel.get_by_role("button", name="Add").click()
    expect(panel).to_contain_text("0 of 2 runs in execution; none waits.")
    size = panel.get_by_label("Size of browser")
    size.fill("3")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("0 of 3 runs in execution")
    with Api(gateway) as api:
        job_id = api.create("Browse", every="1h")
        visitor.go(page, f"/jobs/{job_id}")
        page.get_by_role("button", name="Edit…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("Missed and overlapping slots").click()
        dialog.get_by_label("Pool").select_option("browser")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        assert api.get(f"/api/v1/cron/jobs/{job_id}")["job"]["pool"] == "browser"
        visitor.go(page, "/settings")
        panel.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_text(f"The job {job_id} runs in the pool")).to_be_visible()
        api.put(f"/api/v1/cron/jobs/{job_id}", pool=None)
        panel.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(panel.get_by_label("Size of browser")).to_have_count(0)
        assert [one["name"] for one in api.get("/api/v1/ops/pools")["pools"]] == ["default"]
