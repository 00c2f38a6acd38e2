"""Every control of every page is pressed: none may break the page it is on."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit
from tests.browser.test_pages import PAGES

_WALK = Path(__file__).with_name("walker.js").read_text(encoding="utf-8")

#: Requests under way, but for the stream, which never ends.
_COUNT_REQUESTS = """
globalThis.inFlight = 0;
const fetched = globalThis.fetch;
globalThis.fetch = async (...asked) => {
  const url = typeof asked[0] === 'string' ? asked[0] : asked[0].url;
  if (url.includes('/scheduling/stream')) return fetched(...asked);
  globalThis.inFlight += 1;
  try { return await fetched(...asked); } finally { globalThis.inFlight -= 1; }
};
"""

#: Of elements that look the same, such as the slots of a calendar, this many are pressed.
_MOST = 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_control_of_every_page_can_be_pressed(
    make_gateway: MakeGateway, visit: Visit, theme: str
) -> None:
    gateway = make_gateway(history=True)
    # Without fades, what was closed is gone in the next frame.
    visitor = visit(gateway, color_scheme=theme, reduced_motion="reduce")
    visitor.context.add_init_script(_COUNT_REQUESTS)
    visitor.may_fail.add("/api/")  # a form that is sent as it is may be refused
    # Dialogs are closed in the moment in which they open, before their focus trap has looked.
    visitor.may_say.add("[@mantine/hooks/use-focus-trap] Failed to find focusable element")
    failed: list[str] = []
    visitor.context.on(
        "response",
        lambda answer: failed.extend([answer.url] if answer.status == 500 else []),
    )
    with Api(gateway) as api:
        job_id = api.create("Pressed", every="1h")
        api.run(job_id, wait_seconds=30)
        api.post("/api/v1/sessions")
    # What is decided or ended on one page is gone from those after it.
    pages = ["/stasis", f"/jobs/{job_id}", *(p for p in PAGES if p != "/stasis")]
    page = visitor.open()
    seen: list[str] = []
    pressed: list[str] = []
    broken: list[str] = []
    for path in pages:
        visitor.go(page, path)
        walked: dict[str, Any] = page.evaluate(_WALK, {"path": path, "seen": seen, "most": _MOST})
        seen = walked["seen"]
        pressed += walked["pressed"]
        broken += walked["broken"]
    assert (broken, failed) == ([], [])
    assert {"/calendar: BUTTON Back", "/stasis: BUTTON Approve & Run"} <= set(pressed)
    assert len(pressed) > 100
