"""Somebody's browser at a gateway. What its pages do wrong is noted, wherever a test looks."""

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from tests.acceptance.gateway import PATIENCE_SECONDS

PATIENCE_MS = PATIENCE_SECONDS * 1000

#: What Chromium logs as an error by itself when a request does not succeed.
_FAILED_REQUEST = "Failed to load resource"

_REPORT_VIOLATIONS = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


class Visitor:
    """One browser profile: cookies and storage of its own, any number of tabs."""

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        self.context = context
        self.base_url = base_url
        #: Errors on the console, script errors, violations of the policy, requests elsewhere.
        self.faults: list[str] = []
        #: "GET /api/v1/health?..." for every request of every tab.
        self.requests: list[str] = []
        #: Parts of addresses whose requests a test makes fail on purpose.
        self.may_fail: set[str] = set()
        #: Beginnings of messages on the console that a test brings about on purpose.
        self.may_say: set[str] = set()
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.faults.append(f"script error: {error.error}"))
        context.on("request", self._on_request)

    def open(self, path: str = "/") -> Page:
        """A new tab at this address."""
        page = self.context.new_page()
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        """Load this address in a tab, and wait until its content is there."""
        page.goto(f"{self.base_url}{path}")
        page.locator("h1").wait_for()
        page.wait_for_function("() => document.querySelector('[aria-label=\"Loading\"]') === null")

    def asked(self, part: str) -> int:
        """How many requests had this in their method and address."""
        return sum(part in request for request in self.requests)

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        query = f"?{parts.query}" if parts.query else ""
        self.requests.append(f"{request.method} {parts.path}{query}")
        if parts.scheme != "data" and not request.url.startswith(f"{self.base_url}/"):
            self.faults.append(f"request elsewhere: {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        url = str(message.location.get("url", ""))
        is_expected = message.text.startswith(_FAILED_REQUEST) and any(
            part in url for part in self.may_fail
        )
        if not (is_expected or message.text.startswith(tuple(self.may_say))):
            self.faults.append(f"{message.type}: {message.text} ({url})")


def document_facts(page: Page) -> dict[str, Any]:
    """How large the document is: nodes, and how far it reaches beyond the window."""
    facts: dict[str, Any] = page.evaluate(
        """() => ({
          nodes: document.querySelectorAll('*').length,
          beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        })"""
    )
    return facts
