"""The dashboard in a browser behind nginx: as documented, as people copy it, below a path."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.gateway import free_port
from tests.acceptance.proxies import nginx_command, proxy
from tests.acceptance.servers import running
from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit

TOKEN = "a token for tests behind proxies, long enough"

_PLAIN = """
events {{}}
http {{ server {{ listen 127.0.0.1:{port}; location {path} {{ {inside} }} }} }}
"""


def sign_in(page: Page) -> None:
    page.get_by_label("Operator token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()


def plain_nginx(folder: Path, port: int, inside: str, path: str = "/") -> list[str]:
    """nginx with one location, without TLS."""
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(_PLAIN.format(port=port, path=path, inside=inside))
    return nginx_command(folder, file)


def test_behind_the_documented_nginx_the_page_is_live_after_sign_in(
    make_gateway: MakeGateway, visit: Visit, tmp_path: Path
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    with proxy("nginx", tmp_path / "nginx", gateway.port) as url:
        visitor = visit(gateway, ignore_https_errors=True)
        visitor.base_url = url
        page = visitor.open("/jobs")
        sign_in(page)
        expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")
        with Api(gateway, TOKEN) as api:
            api.create("Seen through the proxy")
        expect(page.get_by_role("link", name="Seen through the proxy")).to_be_visible()
        (cookie,) = visitor.context.cookies()
        assert cookie["secure"]
        visitor.context.close()


def test_behind_a_proxy_that_changes_host_the_page_says_so(
    make_gateway: MakeGateway, visit: Visit, tmp_path: Path
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    port = free_port()
    inside = f"proxy_pass http://127.0.0.1:{gateway.port};"
    url = f"http://localhost:{port}"
    with running(plain_nginx(tmp_path / "nginx", port, inside), tmp_path / "nginx", url):
        visitor = visit(gateway)
        visitor.base_url = url
        visitor.may_fail.add("/api/v1/auth/login")
        page = visitor.open("/")
        notice = page.get_by_role("alert").filter(has_text="changes Host")
        expect(notice).to_contain_text(f"The browser asked for localhost:{port}")
        expect(notice).to_contain_text(f"127.0.0.1:{gateway.port} reached the gateway")
        sign_in(page)
        expect(page.get_by_text(f"Origin is {url}, and Host is")).to_be_visible()


def test_below_a_path_of_another_host_the_whole_page_works(
    make_gateway: MakeGateway, visit: Visit, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN, UA_PUBLIC_URL=f"{url}/agents/")
    inside = (
        f"proxy_pass http://127.0.0.1:{gateway.port}/; proxy_set_header Host $http_host;"
        " proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection '';"
    )
    command = plain_nginx(tmp_path / "nginx", port, inside, "/agents/")
    with running(command, tmp_path / "nginx", url):
        visitor = visit(gateway)
        visitor.base_url = f"{url}/agents"
        page = visitor.open("/jobs")
        sign_in(page)
        expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")
        with Api(gateway, TOKEN) as api:
            api.create("Below a path")
        page.get_by_role("link", name="Below a path").click()
        expect(page.get_by_role("heading", name="Below a path", level=1)).to_be_visible()
        assert "/agents/jobs/" in page.url
        (cookie,) = visitor.context.cookies()
        assert cookie["path"] == "/agents/"
        visitor.context.close()


def test_below_a_path_that_the_gateway_does_not_know_a_sentence_stands_in_the_page(
    make_gateway: MakeGateway, visit: Visit, tmp_path: Path
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    port = free_port()
    url = f"http://localhost:{port}"
    inside = f"proxy_pass http://127.0.0.1:{gateway.port}/; proxy_set_header Host $http_host;"
    command = plain_nginx(tmp_path / "nginx", port, inside, "/agents/")
    with running(command, tmp_path / "nginx", url):
        visitor = visit(gateway)
        visitor.base_url = url
        visitor.may_fail.add("/assets/")
        page = visitor.context.new_page()
        page.goto(f"{url}/agents/")
        expect(page.get_by_text("could not be loaded")).to_be_visible()
        expect(page.get_by_text("UA_PUBLIC_URL")).to_be_visible()
