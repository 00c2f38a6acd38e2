"""Does the dashboard stay quick and small for as long as it is open? A separate command:

    ./ua web-soak                 10 minutes at 5 events a second
    ./ua web-soak --seconds 20    its short form

A gateway of its own, a calendar with 3,200 slots of the coming week, and one of them after another
run ahead of its time. Measured are the first draw, how long updates keep the page busy, how soon
they are seen, and what the heap grows by. Prints a JSON document; ends with 1 past a bound.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page

from tests.acceptance.gateway import GatewayProcess
from tests.browser.api import Api
from tests.browser.conftest import launched
from tests.browser.test_calendar import BUSY, next_week

EVENTS_PER_SECOND = 5
#: A slot that is run ahead of its time makes these: the change, the start, the end.
EVENTS_PER_SLOT = 3

BOUNDS = {"mount_ms": 1000, "update_p95_ms": 50, "seen_p95_ms": 1000, "heap_growth_mb": 20}

#: Marks the first frame with slots in it, and notes every frame that kept the page busy for long.
_WATCH = """
globalThis.longFrames = [];
new PerformanceObserver((list) => longFrames.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: 'long-animation-frame' });
const first = new MutationObserver(() => {
  if (!document.querySelector('[data-chip]')) return;
  first.disconnect();
  requestAnimationFrame(() => setTimeout(() => performance.mark('slots drawn')));
});
first.observe(document, { subtree: true, childList: true });
"""

_MOUNT_MS = """() => {
  const feeds = performance.getEntriesByType('resource')
    .filter(({ name }) => name.includes('/calendar/events'));
  const [drawn] = performance.getEntriesByName('slots drawn');
  return drawn.startTime - feeds[0].responseEnd;
}"""


def heap_mb(session: CDPSession) -> float:
    """What the page holds, without garbage."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


def percentile(values: list[float], part: float) -> float:
    """The value below which that part of them lies; 0 when there are none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def coming_slots(api: Api) -> list[dict[str, Any]]:
    """The slots of the coming week, in an order of their own."""
    feed = api.get("/api/v1/ops/calendar/events", view="week", start=f"{next_week()}T00:00:00Z")
    slots: list[dict[str, Any]] = feed["events"]
    random.Random(1).shuffle(slots)
    return slots


def seen_after(page: Page, slot: dict[str, Any], since: float) -> float | None:
    """Milliseconds until the page shows that the slot has run; None for one in a lane."""
    # By an attribute: to look through the texts of 3,200 slots at each frame would keep the page
    # busier than what is measured.
    chip = f'[data-event="{slot["event_id"]}"]'
    if page.locator(chip).count() == 0:
        return None
    page.locator(f'{chip}[data-tone="ok"]').wait_for()
    return (time.monotonic() - since) * 1000


def soak(api: Api, page: Page, session: CDPSession, seconds: float) -> dict[str, float]:
    """Run slots under the open calendar, and tell what the page made of it."""
    slots = coming_slots(api)
    page.evaluate("() => { longFrames.length = 0 }")
    heap = heap_mb(session)
    seen: list[float] = []
    updates = 0
    began = time.monotonic()
    while slots and (elapsed := time.monotonic() - began) < seconds:
        slot = slots.pop()
        asked = time.monotonic()
        path = f"/api/v1/ops/calendar/events/{slot['event_id']}/exception"
        api.post(path, run_early=True)
        updates += 1
        lag = seen_after(page, slot, asked)
        if lag is not None:
            seen.append(lag)
        ahead = updates * EVENTS_PER_SLOT / EVENTS_PER_SECOND - elapsed
        page.wait_for_timeout(max(0.0, ahead) * 1000)
    frames: list[float] = page.evaluate("() => longFrames")
    # Frames that are not in the list took less than 50 ms; every update takes one at least.
    frames += [0.0] * max(0, updates - len(frames))
    return {
        "updates": updates,
        "update_p95_ms": percentile(frames, 0.95),
        "seen_median_ms": statistics.median(seen) if seen else 0.0,
        "seen_p95_ms": percentile(seen, 0.95),
        "heap_mb": heap,
        "heap_growth_mb": heap_mb(session) - heap,
    }


def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Everything, on a gateway in this folder."""
    gateway = GatewayProcess(folder, USER_TIMEZONE="UTC", UA_CRON_MOCK_RESPONSE="1")
    gateway.start()
    try:
        with Api(gateway) as api, launched() as browser:
            for title, expression in BUSY.items():
                api.create(title, cron_expr=expression, overlap="allow")
            context = browser.new_context(
                viewport={"width": 1440, "height": 900}, timezone_id="UTC"
            )
            context.add_init_script(_WATCH)
            page = context.new_page()
            page.goto(f"{gateway.base_url}/calendar?view=week&date={next_week()}")
            page.wait_for_function("() => performance.getEntriesByName('slots drawn').length > 0")
            mount = float(page.evaluate(_MOUNT_MS))
            session = context.new_cdp_session(page)
            return {"mount_ms": mount, **soak(api, page, session, seconds)}
    finally:
        gateway.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), seconds)
    passed = {name: figures[name] <= bound for name, bound in BOUNDS.items()}
    rounded = {name: round(figure, 1) for name, figure in figures.items()}
    sys.stdout.write(json.dumps({**rounded, "bounds": BOUNDS, "passed": passed}, indent=1) + "\n")
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
