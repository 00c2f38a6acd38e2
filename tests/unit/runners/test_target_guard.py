"""Where webhooks may go: every way of writing or hiding an address that must not be reached."""

import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.errors import InvalidInput, SettingsError
from universal_agent.runners.ssrf import GuardedTransport, TargetGuard
from universal_agent.runners.webhook import WebhookRunner
from universal_agent.settings import Settings

PUBLIC = "93.184.215.14"
PUBLIC_6 = "2606:4700::1111"

REFUSED_ADDRESSES = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:0a00:0001::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]

#: Networks that are not for the public, by the registries of IANA; each is refused to its edges.
REFUSED_NETWORKS = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0/96",
    "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:1::/32", "2001:2::/48",
    "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28", "2001:1ff::/32",
    "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10",
    "ff00::/8",
]  # fmt: skip


class Answers:
    """A resolver: one answer for each question, in order."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return self.answers.pop(0)


def guard(*allow: str, answers: Sequence[Sequence[str]] = (), **given: Any) -> TargetGuard:
    settings = Settings(data_dir=Path("unused"), webhook_allow=allow, **given)
    return TargetGuard(settings, Answers(*answers))


def in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
async def test_an_address_that_is_not_public_is_refused_by_itself_and_behind_a_name(
    address: str,
) -> None:
    with pytest.raises(InvalidInput, match=r"^ssrf_blocked: "):
        guard().check(httpx.URL(f"http://{in_url(address)}/"))
    with pytest.raises(InvalidInput, match=r"^ssrf_blocked: hooks.test is at "):
        await guard(answers=[[address]]).addresses(httpx.URL("http://hooks.test/"))


@pytest.mark.parametrize("text", REFUSED_NETWORKS)
def test_a_network_that_is_not_public_is_refused_from_its_first_to_its_last_address(
    text: str,
) -> None:
    network = ip_network(text)
    for address in (network[0], network[1], network[-2], network[-1]):
        with pytest.raises(InvalidInput, match=r"^ssrf_blocked: "):
            guard().check(httpx.URL(f"http://{in_url(str(address))}/"))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0", "an unspecified address"),
        ("127.0.0.1", "a loopback address"),
        ("10.0.0.1", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("224.0.0.1", "a multicast address"),
        ("100.64.0.1", "not a public address"),
        ("::ffff:808:808", "a reserved address"),
        ("2002:7f00:1::1", "a 6to4 address"),
        ("fd00::1", "a private address"),
    ],
)
def test_a_refusal_says_what_the_address_is(address: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"{re.escape(address)}, {reason}$"):
        guard().check(httpx.URL(f"http://{in_url(address)}/"))


@pytest.mark.parametrize(
    "address",
    [PUBLIC, PUBLIC_6, "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
     "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
     "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2a00:1450::1", "2003::1"],
)  # fmt: skip
async def test_a_public_address_may_be_connected_to(address: str) -> None:
    literal = await guard().addresses(httpx.URL(f"https://{in_url(address)}/"))
    named = await guard(answers=[[address]]).addresses(httpx.URL("https://hooks.test/"))
    assert literal == named == [ip_address(address)]


@given(address=st.ip_addresses(v=4))
async def test_what_the_standard_library_calls_private_is_refused(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        with pytest.raises(InvalidInput):
            guard().check(httpx.URL(f"http://{address}/"))


@given(address=st.ip_addresses(v=6))
async def test_an_ipv6_address_outside_the_public_space_is_refused(address: IPv6Address) -> None:
    if int(address) >> 125 != 0b001:
        with pytest.raises(InvalidInput):
            guard().check(httpx.URL(f"http://[{address}]/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST:8002/",
        "http://localhost./",
        "http://api.localhost/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://127。0。0。1/",
        "http://1.2.3/",
        "http://[fe80::1%25eth0]/",
        "http://134744072/",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com\\@127.0.0.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/_x",
        "javascript:alert(1)",
        "unix:///run/docker.sock",
    ],
)
def test_a_target_in_disguise_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^ssrf_blocked: "):
        guard().check(httpx.URL(url))


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("echo hello", "expected an http or https URL"),
        ("/hook", "expected an http or https URL"),
        ("//example.com/", "expected an http or https URL"),
        ("http:///hook", "expected a host name"),
        ("http://a b/", "expected a host name"),
        ("http://%31%32%37.0.0.1/", "expected a host name"),
        ("http://a..b/", "expected a host name"),
        ("http://example.com:0/", "expected a port"),
        ("http://example.com:65536/", "expected a port"),
    ],
)
def test_what_is_no_web_address_is_refused_with_what_was_expected(url: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{complaint}"):
        guard().check(httpx.URL(url))


def test_a_name_in_any_script_is_looked_at_as_it_goes_to_the_resolver() -> None:
    guard().check(httpx.URL("https://bücher.example/"))


async def test_among_several_addresses_only_the_public_ones_are_used() -> None:
    found = ["127.0.0.1", PUBLIC, "fd00::1", PUBLIC_6]
    judged = await guard(answers=[found]).addresses(httpx.URL("http://hooks.test/"))
    assert judged == [ip_address(PUBLIC), ip_address(PUBLIC_6)]


async def test_a_name_without_any_address_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"hooks.test has no address"):
        await guard(answers=[[]]).addresses(httpx.URL("http://hooks.test/"))


class TestAllowList:
    @pytest.mark.parametrize(
        ("entry", "url"),
        [
            ("10.1.2.3", "http://10.1.2.3/"),
            ("10.1.2.3", "http://10.1.2.3:9000/"),
            ("10.1.0.0/16", "http://10.1.2.3/"),
            ("10.1.2.3:9000", "http://10.1.2.3:9000/"),
            ("127.0.0.1:443", "https://127.0.0.1/"),
            ("::1", "http://[::1]:9000/"),
            ("[::1]:9000", "http://[::1]:9000/"),
            ("fd00::/8", "http://[fd12::1]/"),
            ("hooks.test", "http://hooks.test/"),
            ("HOOKS.test.", "http://hooks.test:9000/"),
            ("hooks.test:9000", "http://hooks.test.:9000/"),
            ("localhost", "http://localhost:9000/"),
            ("localhost:9000", "http://localhost:9000/"),
            ("10.0.0.0/8", "http://hooks.test/"),
        ],
    )
    async def test_an_entry_opens_what_it_names(self, entry: str, url: str) -> None:
        inside = "127.0.0.1" if "localhost" in url else "10.1.2.3"
        assert await guard(entry, answers=[[inside]]).addresses(httpx.URL(url))

    @pytest.mark.parametrize(
        ("entry", "url"),
        [
            ("10.1.2.3", "http://10.1.2.4/"),
            ("10.1.2.3:9000", "http://10.1.2.3:9001/"),
            ("hooks.test:9000", "http://hooks.test/"),
            ("hooks.test", "http://evil.hooks.test/"),
            ("test", "http://hooks.test/"),
            ("localhost", "http://127.0.0.1/"),
            ("localhost:9000", "http://localhost/"),
            ("127.0.0.1", "http://2130706433/"),
            ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
            ("127.0.0.1", "ftp://127.0.0.1/"),
        ],
    )
    async def test_an_entry_opens_nothing_else(self, entry: str, url: str) -> None:
        with pytest.raises(InvalidInput, match=r"^ssrf_blocked: "):
            await guard(entry, answers=[["10.1.2.3"]]).addresses(httpx.URL(url))

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8002/", "http://[::1]:8002/"])
    async def test_the_gateway_itself_is_opened_only_with_its_port(self, url: str) -> None:
        with pytest.raises(InvalidInput, match="this gateway itself"):
            await guard("127.0.0.0/8", "::1").addresses(httpx.URL(url))
        assert await guard("127.0.0.1:8002", "[::1]:8002").addresses(httpx.URL(url))

    async def test_a_gateway_on_a_public_address_does_not_call_itself(self) -> None:
        public = guard(gateway_host=PUBLIC, ops_token="x" * 40)
        with pytest.raises(InvalidInput, match="this gateway itself"):
            await public.addresses(httpx.URL(f"http://{PUBLIC}:8002/"))
        assert await public.addresses(httpx.URL(f"http://{PUBLIC}/"))

    @pytest.mark.parametrize(
        "entry", ["http://x", "10.0.0.0/99", "10.0.0.1/8", "a:b", "a b", "[::1]:x", "*", "x:"]
    )
    def test_an_entry_that_cannot_be_read_stops_the_start(self, entry: str) -> None:
        with pytest.raises(SettingsError, match="UA_WEBHOOK_ALLOW"):
            guard(entry)


class TestTransport:
    async def send(
        self, transport: GuardedTransport, url: str, inner: httpx.MockTransport
    ) -> httpx.Response:
        transport._inner = inner
        return await transport.handle_async_request(
            httpx.Request("POST", url, content=b"body", extensions={"timeout": {"connect": 5}})
        )

    async def test_the_address_that_was_judged_is_dialled_under_the_name(self) -> None:
        # The second answer is what an attacker's name server says once it was looked at.
        rebinding = guard(answers=[[PUBLIC], ["127.0.0.1"]])
        sent: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            sent.append(request)
            return httpx.Response(204)

        transport = GuardedTransport(rebinding, httpx.create_ssl_context())
        await self.send(transport, "https://hooks.test./a?b", httpx.MockTransport(answer))
        [request] = sent
        assert str(request.url) == f"https://{PUBLIC}/a?b"
        assert request.headers["host"] == "hooks.test."
        assert request.extensions == {"timeout": {"connect": 5}, "sni_hostname": "hooks.test"}
        assert request.content == b"body"

    async def test_the_next_address_is_tried_when_one_cannot_be_reached(self) -> None:
        dialled: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            dialled.append(request.url.host)
            if request.url.host == PUBLIC_6:
                raise httpx.ConnectError("no route")
            return httpx.Response(204)

        transport = GuardedTransport(
            guard(answers=[[PUBLIC_6, PUBLIC]]), httpx.create_ssl_context()
        )
        response = await self.send(transport, "http://hooks.test/", httpx.MockTransport(answer))
        assert response.status_code == 204
        assert dialled == [PUBLIC_6, PUBLIC]


@pytest.mark.parametrize(
    "host",
    [
        "xn--a.de",
        "xn--.de",
        "xn--zzzzzzzz-",
        "xn--999999999.de",
        "a" * 64 + ".de",
        "a." * 127 + "de",
        "\u00fc" * 64 + ".de",
        "a..b",
        "\u2603.net",
    ],
)
def test_a_name_that_cannot_be_asked_for_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        WebhookRunner(Settings(data_dir=Path("unused"))).check(f"https://{host}/")
    assert refused.value.field == "command"


@pytest.mark.parametrize("host", ["b\u00fccher.example", "xn--bcher-kva.example", "a" * 63 + ".de"])
def test_a_name_that_can_be_asked_for_is_not(host: str) -> None:
    WebhookRunner(Settings(data_dir=Path("unused"))).check(f"https://{host}/")


def test_on_every_address_of_this_machine_the_port_is_the_gateway() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: which address would it come from?
        own = probe.getsockname()[0]
    everywhere = guard("0.0.0.0/0", gateway_host="0.0.0.0", gateway_port=8002, ops_token="x" * 40)
    for address in (own, "127.0.0.1", "0.0.0.0"):
        with pytest.raises(InvalidInput, match="this gateway itself"):
            everywhere.check(httpx.URL(f"http://{address}:8002/"))
        everywhere.check(httpx.URL(f"http://{address}:8003/"))
    everywhere.check(httpx.URL("http://192.0.2.99:8002/"))
