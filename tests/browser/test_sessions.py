"""Sessions and their heartbeats, by the shapes of the contract."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.accessibility import violations
from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit
from universal_agent.clock import SystemClock


def beat(session_id: str, *, next_in: float, text: str = "", **fields: Any) -> dict[str, Any]:
    """A session's heartbeat as `GET /api/v1/heartbeat/last` tells it."""
    now = SystemClock().now().timestamp()
    summary = {
        "timestamp": SystemClock().now().isoformat(),
        "ok_only": text == "",
        "text": text or "HEARTBEAT_OK",
        "token": None if text else "HEARTBEAT_OK",
        "sent": False,
        "artifacts": {"writes": [], "work_products": [], "bash_commands": []},
        "delivery": {
            "mode": "last",
            "targets": [],
            "connected_targets": [],
            "indicator_only": False,
        },
        "suppressed_reason": "no_connected_targets" if text else "ok_suppressed",
    }
    return {
        "session_id": session_id,
        "last_run": now - 1500,
        "last_summary": summary,
        "busy": False,
        "next_run": now + next_in,
        "schedule": {"every_seconds": 1800, "timezone": "UTC", "active_hours": None},
        "delivery": {"mode": "last"},
        **fields,
    }


def answer(page: Page, *beats: dict[str, Any]) -> None:
    """Let the gateway have these sessions."""
    heartbeats = {each["session_id"]: each for each in beats}
    sessions = [
        {"session_id": name, "user_id": "ann", "workspace_dir": name, "metadata": {}}
        for name in heartbeats
    ]
    page.route(
        "**/api/v1/heartbeat/last", lambda route: route.fulfill(json={"heartbeats": heartbeats})
    )
    page.route("**/api/v1/ops/sessions/*", lambda route: route.fulfill(json={"runs": []}))
    page.route("**/api/v1/ops/sessions?*", lambda route: route.fulfill(json={"sessions": sessions}))


def test_a_heartbeat_that_is_busy_or_late_looks_like_it(
    gateway: GatewayProcess, visit: Visit
) -> None:
    visitor = visit(gateway)
    page = visitor.context.new_page()
    answer(
        page,
        beat("atlas", next_in=300),
        beat("nova", next_in=300, busy=True),
        beat("lyra", next_in=-900),
        beat("orion", next_in=300, text="Disk of the build host is at 92 %"),
        beat("vega", next_in=300, consecutive_failures=3),
    )
    visitor.go(page, "/sessions")
    states = {
        "atlas": "well",
        "nova": "busy",
        "lyra": "overdue",
        "orion": "alert",
        "vega": "failed 3 in a row",
    }
    for name, state in states.items():
        expect(page.get_by_role("row", name=f"{name} ann {state}")).to_be_visible()
    expect(page.get_by_role("row", name="orion")).to_contain_text("Disk of the build host")
    page.get_by_role("button", name="orion").click()
    drawer = page.get_by_role("dialog", name="orion")
    expect(drawer).to_contain_text("no client is connected")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="orion")).to_be_focused()
    visitor.go(page, "/")
    tile = page.get_by_role("link", name="heartbeats well")
    expect(tile).to_have_accessible_name("2 / 5 heartbeats well, 2 failing, 1 overdue")


def test_a_real_session_is_seen_with_its_beats_and_paused(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    with Api(gateway) as api:
        session = api.post("/api/v1/sessions", workspace_dir="home-server", user_id="ann")
        session_id = session["session_id"]
        (Path(session["workspace_dir"]) / "HEARTBEAT.md").write_text("- [ ] disk: `df /`\n")
        api.post("/api/v1/heartbeat/wake", session_id=session_id)
        visitor = visit(gateway)
        page = visitor.open("/sessions")
        expect(page.get_by_role("row", name="home-server ann, idle well")).to_contain_text(
            "all well", timeout=30_000
        )
        page.get_by_role("button", name="home-server").click()
        drawer = page.get_by_role("dialog", name="home-server")
        for words in (session_id, "every 25 m", "no: all is well", "1 commands"):
            expect(drawer).to_contain_text(words)
        assert violations(page) == []
        api.post(f"/api/v1/ops/calendar/events/heartbeat|{session_id}|0/action", action="pause")
        visitor.go(page, "/sessions")
        expect(page.get_by_role("row", name="home-server ann, idle paused")).to_be_visible()
        visitor.go(page, "/")
        expect(page.get_by_role("region", name="Heartbeats")).to_contain_text("paused")


def test_a_gateway_without_sessions_says_so_and_the_page_goes_on(
    gateway: GatewayProcess, visit: Visit
) -> None:
    visitor = visit(gateway)
    visitor.may_fail.update(("/heartbeat/last", "/ops/sessions"))
    page = visitor.context.new_page()
    for part in ("heartbeat/last", "ops/sessions?*"):
        page.route(
            f"**/api/v1/{part}",
            lambda route: route.fulfill(
                status=503, json={"detail": "Heartbeat service not available."}
            ),
        )
    visitor.go(page, "/sessions")
    expect(page.get_by_text("Heartbeat service not available.")).to_be_visible()
    visitor.go(page, "/")
    expect(page.get_by_role("region", name="Heartbeats")).to_contain_text("Not available right now")
    expect(page.get_by_role("region", name="Today")).to_be_visible()
