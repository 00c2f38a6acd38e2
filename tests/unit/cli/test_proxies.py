"""What commands say about answers of a proxy in front of the gateway."""

import ssl

import httpx
import pytest

from universal_agent.cli.client import Gateway
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.proxies import refused_upgrade

URL = "https://agents.example.org/ua"
HTML = {"content-type": "text/html"}


def said(status: int, **headers: str) -> CommandFailed:
    """The error for an answer with an HTML body."""
    response = httpx.Response(status, text="<html>", headers={**HTML, **headers})
    gateway = Gateway(URL, transport=httpx.MockTransport(lambda request: response))
    with pytest.raises(CommandFailed) as failed:
        gateway.get("/x")
    return failed.value


@pytest.mark.parametrize(
    ("status", "headers", "words", "code"),
    [
        (502, {}, "cannot reach the gateway behind it", ExitCode.UNREACHABLE),
        (503, {}, "no gateway to pass the request to", ExitCode.UNREACHABLE),
        (504, {}, "may still be going on", ExitCode.UNREACHABLE),
        (302, {"location": "https://sso.example.org/"}, "to https://sso.ex", ExitCode.UNREACHABLE),
        (401, {"www-authenticate": 'Basic realm="x"'}, "asks for Basic", ExitCode.REFUSED),
        (403, {}, "refuses the request with HTTP 403", ExitCode.REFUSED),
        (413, {}, "the gateway takes 1 MiB", ExitCode.USAGE),
        (200, {}, r"is not a gateway \(HTTP 200, text/html\)", ExitCode.UNREACHABLE),
        (404, {}, r"is not a gateway \(HTTP 404, text/html\)", ExitCode.UNREACHABLE),
    ],
)
def test_an_answer_of_a_proxy_is_told_apart_from_the_gateways(
    status: int, headers: dict[str, str], words: str, code: ExitCode
) -> None:
    failed = said(status, **headers)
    assert failed.code is code
    with pytest.raises(CommandFailed, match=words):
        raise failed
    assert "is down" not in failed.message


def test_a_certificate_that_is_not_trusted_is_not_a_gateway_that_is_down() -> None:
    def untrusted(request: httpx.Request) -> httpx.Response:
        cause = ssl.SSLCertVerificationError("self-signed")
        cause.verify_message = "self-signed certificate"
        raise httpx.ConnectError(str(cause), request=request) from cause

    for offline in (None, lambda: httpx.MockTransport(untrusted)):
        gateway = Gateway(URL, transport=httpx.MockTransport(untrusted), offline=offline)
        with pytest.raises(CommandFailed, match=r"not trusted \(self-signed cert.*SSL_CERT_FILE"):
            gateway.get("/x")


@pytest.mark.parametrize("status", [200, 301, 400, 404, 426])
def test_a_lost_upgrade_names_the_headers_that_the_proxy_must_pass_on(status: int) -> None:
    assert "Upgrade and Connection" in refused_upgrade(URL, status).message


@pytest.mark.parametrize(("status", "code"), [(401, ExitCode.REFUSED), (502, ExitCode.UNREACHABLE)])
def test_a_refused_stream_has_the_exit_code_of_its_cause(status: int, code: ExitCode) -> None:
    assert refused_upgrade(URL, status).code is code
