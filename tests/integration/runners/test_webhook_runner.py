"""Webhooks against a real server: what is sent, what counts as success, and where they stop."""

import asyncio
import base64
import hashlib
import hmac
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runners.conftest import SCHEDULED_AT, Asked
from tests.integration.runners.local_server import (
    Connection,
    LocalServer,
    Received,
    answers,
    hangs,
    local_server,
)
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunResult
from universal_agent.runners.webhook import ANSWER_BYTES, WebhookRunner
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock

EVENT_ID = f"cron|job-1|{int(SCHEDULED_AT.timestamp())}"

#: Made once for all tests, as reading the certificates takes a while.
TLS = ssl.create_default_context()

Webhook = Callable[..., WebhookRunner]


class Names:
    """A resolver that counts; each name has its answers in order, the last one for ever."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = {name.replace("_", "."): list(found) for name, found in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = self.names[host]
        return [found.pop(0) if len(found) > 1 else found[0]]


@pytest.fixture
async def webhook(
    clock: ManualClock, tmp_path: Path, server: LocalServer
) -> AsyncIterator[Webhook]:
    """Makes the runner; the local server is on its allow-list unless a test says otherwise."""
    made: list[WebhookRunner] = []

    def make(
        *, secret: str = "", allow: tuple[str, ...] | None = None, **given: Any
    ) -> WebhookRunner:
        settings = Settings(
            data_dir=tmp_path,
            webhook_secret=secret,
            webhook_allow=(f"127.0.0.1:{server.port}",) if allow is None else allow,
        )
        runner = WebhookRunner(settings, clock=clock, **{"tls": TLS, **given})
        made.append(runner)
        return runner

    yield make
    for runner in made:
        await runner.close()


@pytest.fixture
def url(server: LocalServer) -> str:
    return f"http://127.0.0.1:{server.port}/hook?a=b"


class TestDelivery:
    async def test_the_facts_of_the_run_are_posted_as_json(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        request, _ = asked(url, title="Nightly $(touch x)", metadata={"channel": "ops"})
        runner = webhook(tls=None)
        assert await runner.run(request) == RunResult(status=RunStatus.SUCCESS, exit_code=204)
        [received] = server.received
        assert (received.method, received.path) == ("POST", "/hook?a=b")
        assert received.headers["content-type"] == "application/json"
        assert received.headers["host"] == f"127.0.0.1:{server.port}"
        assert received.json() == {
            "run_id": request.run_id,
            "job_id": "job-1",
            "event_id": EVENT_ID,
            "title": "Nightly $(touch x)",
            "scheduled_at": SCHEDULED_AT.timestamp(),
            "scheduled_at_utc": "2026-01-14T09:00:00+00:00",
            "attempt": 1,
            "trigger": "schedule",
            "metadata": {"channel": "ops"},
        }

    async def test_a_run_that_is_late_on_purpose_says_so(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        request, _ = asked(url, late_seconds=90, approved_by="ann", trigger="approved")
        await webhook().run(request)
        sent = server.received[0].json()
        assert (sent["late_seconds"], sent["approved_by"]) == (90, "ann")

    @pytest.mark.parametrize(
        ("secret", "key"),
        [
            ("a plain secret", b"a plain secret"),
            (
                "whsec_" + base64.b64encode(b"24 bytes of a real secret").decode(),
                b"24 bytes of a real secret",
            ),
        ],
        ids=["plain", "whsec"],
    )
    async def test_the_signature_is_the_one_of_standard_webhooks(
        self,
        secret: str,
        key: bytes,
        webhook: Webhook,
        server: LocalServer,
        url: str,
        asked: Asked,
        clock: ManualClock,
    ) -> None:
        request, _ = asked(url)
        await webhook(secret=secret).run(request)
        [received] = server.received
        timestamp = received.headers["webhook-timestamp"]
        assert timestamp == str(int(clock.now().timestamp()))
        signed = b".".join([EVENT_ID.encode(), timestamp.encode(), received.body])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert received.headers["webhook-signature"] == f"v1,{expected}"

    async def test_without_a_secret_nothing_is_signed(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        request, _ = asked(url)
        await webhook().run(request)
        assert "webhook-signature" not in server.received[0].headers

    async def test_every_attempt_at_a_slot_has_the_same_message_id(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        runner = webhook()
        for attempt in (1, 2, 3):
            request, _ = asked(url, attempt=attempt)
            await runner.run(request)
        assert {received.headers["webhook-id"] for received in server.received} == {EVENT_ID}

    async def test_proxies_of_the_environment_are_not_asked(
        self,
        webhook: Webhook,
        server: LocalServer,
        url: str,
        asked: Asked,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        request, _ = asked(url)
        assert (await webhook().run(request)).status is RunStatus.SUCCESS

    async def test_a_cookie_of_one_run_is_not_sent_with_the_next(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(200, Set_Cookie="session=1; Path=/")
        runner = webhook()
        for _ in range(2):
            await runner.run(asked(url)[0])
        assert "cookie" not in server.received[1].headers


class TestAnswer:
    async def test_what_is_answered_is_the_output_of_the_run(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(200, b"42 rows")
        request, output = asked(url)
        assert (await webhook().run(request)).exit_code == 200
        assert output.text == "42 rows"

    @pytest.mark.parametrize("status", [400, 404, 500])
    async def test_any_other_status_is_an_error_and_its_body_is_kept(
        self, status: int, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(status, b"why")
        request, output = asked(url)
        assert await webhook().run(request) == RunResult(
            status=RunStatus.ERROR, error=f"HTTP {status} from 127.0.0.1", exit_code=status
        )
        assert output.text == "why"

    async def test_the_wait_that_a_receiver_asks_for_goes_on_with_the_failure(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked, clock: ManualClock
    ) -> None:
        server.answer = answers(429, b"", Retry_After="90")
        result = await webhook().run(asked(url)[0])
        until = clock.now() + timedelta(seconds=90)
        assert result.ending == Ending(kind=EndClass.RATE_LIMITED, until=until)

    async def test_no_more_than_64_kib_of_an_endless_answer_are_read(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        async def endless(_: Received, connection: Connection) -> None:
            await connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while not server.hung_up.is_set():
                await connection.send(b"x" * 65536)

        server.answer = endless
        request, output = asked(url)
        assert (await webhook().run(request)).status is RunStatus.SUCCESS
        assert output.text == "x" * ANSWER_BYTES + "\n[the rest of the answer was not read]\n"
        server.hung_up.set()

    async def test_a_compressed_answer_is_not_unfolded(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(200, b"\x1f\x8bbomb", Content_Encoding="gzip")
        request, output = asked(url)
        assert (await webhook().run(request)).status is RunStatus.SUCCESS
        assert server.received[0].headers["accept-encoding"] == "identity"
        assert output.total_bytes == 6

    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_a_server_that_never_answers_is_given_up_on(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked, clock: ManualClock
    ) -> None:
        server.answer = hangs
        request, _ = asked(url)
        run = asyncio.create_task(webhook().run(request))
        await server.request()
        await clock.advance(30)
        assert await run == RunResult(status=RunStatus.ERROR, error="no complete answer in 30 s")
        await server.hung_up.wait()

    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_an_answer_that_trickles_is_given_up_on_though_it_began_well(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked, clock: ManualClock
    ) -> None:
        async def trickle(_: Received, connection: Connection) -> None:
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
            await connection.hang()

        server.answer = trickle
        request, output = asked(url)
        run = asyncio.create_task(webhook().run(request))
        await output.until("x")
        await clock.advance(30)
        assert (await run).error == "no complete answer in 30 s"

    async def test_an_answer_that_breaks_off_is_an_error(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        async def cut(_: Received, connection: Connection) -> None:
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")

        server.answer = cut
        result = await webhook().run(asked(url)[0])
        assert result.status is RunStatus.ERROR
        assert result.error is not None
        assert result.error.startswith("no complete answer: peer closed connection")

    async def test_nobody_there_is_an_error_of_the_run(
        self, webhook: Webhook, asked: Asked, unused_tcp_port: int
    ) -> None:
        request, _ = asked(f"http://127.0.0.1:{unused_tcp_port}/")
        result = await webhook(allow=("127.0.0.1",)).run(request)
        assert result.error == "no complete answer: All connection attempts failed"

    async def test_a_name_that_does_not_resolve_is_an_error_of_the_run(
        self, webhook: Webhook, asked: Asked
    ) -> None:
        result = await webhook(resolve=Names()).run(asked("http://nowhere.test/")[0])
        assert result.error is not None
        assert result.error.startswith("no complete answer: the name does not resolve")

    async def test_a_cancelled_run_closes_its_connection(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = hangs
        run = asyncio.create_task(webhook().run(asked(url)[0]))
        await server.request()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await server.hung_up.wait()


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_gets_the_same_post_again(
        self, status: int, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(status, Location="/moved")
        server.at["/moved"] = answers(200)
        assert (await webhook(secret="s").run(asked(url)[0])).status is RunStatus.SUCCESS
        first, second = server.received
        assert second.path == "/moved"
        assert (second.method, second.body) == (first.method, first.body)
        assert second.headers["webhook-signature"] == first.headers["webhook-signature"]

    async def test_see_other_is_read_without_sending_the_message_again(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(303, Location="/done")
        server.at["/done"] = answers(200, b"done")
        request, output = asked(url)
        assert (await webhook(secret="s").run(request)).status is RunStatus.SUCCESS
        second = server.received[1]
        assert (second.method, second.body) == ("GET", b"")
        assert "webhook-signature" not in second.headers
        assert output.text == "done"

    async def test_the_fourth_redirect_is_not_followed(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(307, Location=url)
        result = await webhook().run(asked(url)[0])
        assert result.error == "more than 3 redirects, the last to 127.0.0.1"
        assert len(server.received) == 4

    @pytest.mark.parametrize(
        "location",
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://localhost./",
            "//10.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://inside.test/",
            "file:///etc/passwd",
            "gopher://example.com/",
        ],
    )
    async def test_each_redirect_is_judged_again(
        self, location: str, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(302, Location=location)
        runner = webhook(resolve=Names(inside_test=["192.168.0.7"]))
        result = await runner.run(asked(url)[0])
        assert result.status is RunStatus.ERROR
        assert result.error is not None
        assert result.error.startswith("ssrf_blocked: ")
        assert len(server.received) == 1

    async def test_a_redirect_without_a_place_is_only_a_status(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(302)
        assert (await webhook().run(asked(url)[0])).error == "HTTP 302 from 127.0.0.1"

    async def test_a_redirect_to_nonsense_is_an_error_of_the_run(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        server.answer = answers(302, Location="http://a:b/")
        result = await webhook().run(asked(url)[0])
        assert result.error is not None
        assert result.error.startswith("redirected to an invalid URL")


class TestGuard:
    async def test_a_local_server_is_out_of_reach_unless_it_is_allowed(
        self, webhook: Webhook, server: LocalServer, url: str, asked: Asked
    ) -> None:
        result = await webhook(allow=()).run(asked(url)[0])
        assert result == RunResult(
            status=RunStatus.ERROR, error="ssrf_blocked: 127.0.0.1, a loopback address"
        )
        assert server.received == []

    async def test_a_name_is_resolved_once_and_the_address_that_was_judged_is_used(
        self, webhook: Webhook, server: LocalServer, asked: Asked
    ) -> None:
        names = Names(hooks_test=["127.0.0.1", "10.0.0.1"])
        request, _ = asked(f"http://hooks.test:{server.port}/")
        result = await webhook(resolve=names).run(request)
        assert result.status is RunStatus.SUCCESS
        assert names.asked == ["hooks.test"]
        assert server.received[0].headers["host"] == f"hooks.test:{server.port}"

    async def test_a_name_that_was_rebound_to_this_machine_is_refused(
        self, webhook: Webhook, server: LocalServer, asked: Asked
    ) -> None:
        names = Names(hooks_test=["127.0.0.1", "127.0.0.2"])
        runner = webhook(resolve=names)
        statuses = []
        for _ in range(2):
            request, _ = asked(f"http://hooks.test:{server.port}/")
            statuses.append((await runner.run(request)).error)
        assert statuses == [
            None,
            "ssrf_blocked: hooks.test is at 127.0.0.2, a loopback address",
        ]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for hooks.test in one file."""
    path = tmp_path_factory.mktemp("tls") / "hooks.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = ["-subj", "/CN=hooks.test", "-addext", "subjectAltName=DNS:hooks.test"]
    files = ["-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run([*command.split(), *name, *files], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


class TestTls:
    @pytest.fixture
    async def secure_server(self, certificate: Path) -> AsyncIterator[LocalServer]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        self.names_asked_for: list[str | None] = []
        tls.sni_callback = lambda _, name, __: self.names_asked_for.append(name)
        async with local_server(tls) as server:
            yield server

    @pytest.fixture
    def secure_webhook(self, webhook: Webhook, certificate: Path) -> WebhookRunner:
        return webhook(
            allow=("127.0.0.1",),
            resolve=Names(hooks_test=["127.0.0.1"], other_test=["127.0.0.1"]),
            tls=ssl.create_default_context(cafile=certificate),
        )

    async def test_the_certificate_is_checked_against_the_name_and_not_the_address(
        self, secure_webhook: WebhookRunner, secure_server: LocalServer, asked: Asked
    ) -> None:
        request, _ = asked(f"https://hooks.test:{secure_server.port}/")
        result = await secure_webhook.run(request)
        assert result.status is RunStatus.SUCCESS
        assert self.names_asked_for == ["hooks.test"]

    @pytest.mark.parametrize("host", ["other.test", "127.0.0.1"])
    async def test_a_certificate_for_another_name_is_refused(
        self,
        host: str,
        secure_webhook: WebhookRunner,
        secure_server: LocalServer,
        asked: Asked,
    ) -> None:
        request, _ = asked(f"https://{host}:{secure_server.port}/")
        result = await secure_webhook.run(request)
        assert result.error is not None
        assert "certificate verify failed" in result.error
        assert secure_server.received == []

    async def test_a_connection_that_was_verified_for_one_host_is_not_used_for_another(
        self, secure_webhook: WebhookRunner, secure_server: LocalServer, asked: Asked
    ) -> None:
        async def stays_open(_: Received, connection: Connection) -> None:
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await connection.hang()

        secure_server.answer = stays_open
        statuses = []
        for host in ("hooks.test", "other.test"):
            request, _ = asked(f"https://{host}:{secure_server.port}/")
            statuses.append((await secure_webhook.run(request)).status)
        assert statuses == [RunStatus.SUCCESS, RunStatus.ERROR]

    async def test_a_redirect_does_not_lead_out_of_tls(
        self,
        secure_webhook: WebhookRunner,
        server: LocalServer,
        secure_server: LocalServer,
        asked: Asked,
    ) -> None:
        secure_server.answer = answers(302, Location=f"http://127.0.0.1:{server.port}/")
        request, _ = asked(f"https://hooks.test:{secure_server.port}/")
        result = await secure_webhook.run(request)
        assert result.error == "ssrf_blocked: redirected from https to http"
        assert server.received == []
