"""What browser tests start from: one Chromium for all of them, and real gateways."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.acceptance.gateway import GatewayProcess
from tests.browser.lived_in import make_lived_in
from tests.browser.visitor import PATIENCE_MS, Visitor
from universal_agent.api.web_page import WEB_DIST

MakeGateway = Callable[..., GatewayProcess]
Visit = Callable[..., Visitor]

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_NO_CHROMIUM = """there is no Chromium on PATH, so nothing is known about the dashboard.
    On Debian or Ubuntu: apt install chromium (as root, ./ua test does that by itself)"""
_NO_PAGE = """the dashboard is not built, so nothing is known about it.
    ./ua web builds it; it says what is missing when it cannot"""


@contextmanager
def launched() -> Iterator[Browser]:
    """A Chromium without a window. Raises LookupError where there is none."""
    program = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if program is None:
        raise LookupError(_NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            # CI works as root, where Chromium's own sandbox refuses to start.
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. Each test has profiles of its own in it."""
    if not (WEB_DIST / "index.html").is_file():
        pytest.fail(_NO_PAGE, pytrace=False)
    expect.set_options(timeout=PATIENCE_MS)
    try:
        with launched() as browser:
            yield browser
    except LookupError as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a day's history in it, to be copied."""
    data_dir = tmp_path_factory.mktemp("lived-in") / ".ua"
    make_lived_in(data_dir)
    return data_dir


def _gateways(folder: Path, lived_in: Path) -> Iterator[MakeGateway]:
    made: list[GatewayProcess] = []

    def make(*, history: bool = False, **environment: str) -> GatewayProcess:
        gateway = GatewayProcess(
            folder / f"gateway-{len(made)}", USER_TIMEZONE="UTC", **environment
        )
        if history:
            shutil.copytree(lived_in, gateway.data_dir, ignore=shutil.ignore_patterns("*.lock"))
        made.append(gateway)
        gateway.start()
        return gateway

    yield make
    for gateway in made:
        if gateway.is_running:
            gateway.kill()


@pytest.fixture
def make_gateway(tmp_path: Path, lived_in: Path) -> Iterator[MakeGateway]:
    """Starts gateways of a test's own: `make_gateway(history=True, UA_X="1")`."""
    yield from _gateways(tmp_path, lived_in)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, lived_in: Path) -> Iterator[GatewayProcess]:
    """A gateway with history, for all tests that do not mind what others did to it."""
    for make in _gateways(tmp_path_factory.mktemp("gateways"), lived_in):
        yield make(history=True)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Makes profiles at a gateway: `visit(gateway).open("/calendar")`; none may do wrong."""
    visitors: list[Visitor] = []

    def make(gateway: GatewayProcess, **options: Any) -> Visitor:
        context = chromium.new_context(
            **{"viewport": {"width": 1440, "height": 900}, "timezone_id": "UTC", **options}
        )
        visitor = Visitor(context, gateway.base_url)
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []
