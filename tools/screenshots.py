"""Take the pictures of the documentation: of `ua demo`, in a real browser.

.venv/bin/python tools/screenshots.py [FOLDER]     docs/images by default
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]

DESKTOP = (1440, 900)
PHONE = (390, 844)


@dataclass(frozen=True)
class Picture:
    """One page of the dashboard."""

    name: str
    path: str
    #: Text that is there once the page is drawn.
    shows: str
    size: tuple[int, int] = DESKTOP
    theme: str = "light"


PICTURES = (
    Picture("overview", "/", "Inbox triage"),
    Picture("overview-dark", "/", "Inbox triage", theme="dark"),
    Picture("calendar", "/calendar?view=week", "Queue depth"),
    Picture("calendar-phone", "/calendar?view=list", "Inbox triage", size=PHONE),
    Picture("stasis", "/stasis", "Reschedule"),
    Picture("job", "/jobs/{job}", "digest of"),
)


def main() -> None:
    """Take them all."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    demo = subprocess.Popen(
        [sys.executable, "-m", "universal_agent", "demo", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "USER_TIMEZONE": "Europe/Berlin"},
        text=True,
    )
    try:
        assert demo.stdout is not None
        url = json.loads(demo.stdout.readline())["url"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for picture in PICTURES:
                take(browser, url, picture, folder / f"{picture.name}.png")
                print(folder / f"{picture.name}.png")
            browser.close()
    finally:
        demo.terminate()
        demo.wait()


def take(browser: Browser, url: str, picture: Picture, to: Path) -> None:
    """Open the page, wait until it is drawn, and keep what is seen."""
    width, height = picture.size
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    path = picture.path
    if "{job}" in path:
        jobs = context.request.get("/api/v1/cron/jobs").json()["jobs"]
        (job_id,) = (job["job_id"] for job in jobs if job["title"] == "News digest")
        path = path.format(job=job_id)
    page.goto(path)
    page.get_by_text(re.compile(re.escape(picture.shows))).first.wait_for()
    page.get_by_text("Live").first.wait_for()
    page.screenshot(path=to)
    context.close()


if __name__ == "__main__":
    main()
