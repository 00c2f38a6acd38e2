"""The HTTP client of the commands.

A problem document becomes one sentence and an exit code. A read that finds no gateway continues
with the offline transport, if there is one.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from universal_agent.cli.answers import decode
from universal_agent.cli.failure import CommandFailed, ExitCode, RequestRefused
from universal_agent.cli.invocation import Document
from universal_agent.cli.proxies import foreign_answer, tls_problem
from universal_agent.engine.instance import is_proof, make_challenge, read_key
from universal_agent.files import read_regular
from universal_agent.settings import Settings
from universal_agent.store.databases.data_lock import is_held

#: Where `ua serve` leaves its address, in the data directory.
ADDRESS_FILE = "gateway.url"

#: Seconds to wait for an answer, and for a connection.
_ANSWER_SECONDS = 15.0
_CONNECT_SECONDS = 3.0


def token_header(url: str, token: str) -> dict[bytes, bytes]:
    """The header that carries the token.

    Proxies leave `Authorization` out of their logs. With a user in the URL, that header belongs to
    the proxy.
    """
    if httpx.URL(url).userinfo:
        return {b"x-ua-ops-token": token.encode()}
    return {b"authorization": b"Bearer " + token.encode()}


class WrongGateway(CommandFailed):
    """Something else than the gateway that is meant listens at its address."""


class Gateway:
    """A running gateway, or in its place what it left on the disk."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        data_dir: Path | None = None,
        transport: httpx.BaseTransport | None = None,
        offline: Callable[[], httpx.BaseTransport] | None = None,
        down: str | None = None,
    ) -> None:
        """`down` says why nothing is asked of `url`: what listens there is not this gateway. With a
        `data_dir`, the token goes to the gateway of that directory and to no other.
        """
        self.down = down
        self.url = url.rstrip("/")
        self._token = token
        self._data_dir = data_dir
        #: Whether the token may be sent.
        self._is_known = data_dir is None
        self._offline = offline
        #: Whether the answers come from the disk, the gateway being down.
        self.is_offline = False
        self._http = self._client(transport)

    def close(self) -> None:
        """Close connections and files."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, *, patience: float = 0, **params: object) -> Document:
        """The document at `path`; parameters that are None are left out."""
        return self._document(self.send("GET", path, params=params, patience=patience))

    def post(self, path: str, body: Document, *, patience: float = 0) -> Document:
        """What posting a document answers; `patience` in seconds is added to the time limit."""
        return self._document(self.send("POST", path, body=body, patience=patience))

    def put(self, path: str, body: Document) -> Document:
        """What putting a document answers."""
        return self._document(self.send("PUT", path, body=body))

    def patch(self, path: str, body: Document) -> Document:
        """What patching a document answers."""
        return self._document(self.send("PATCH", path, body=body))

    def delete(self, path: str) -> Document:
        """What deleting answers."""
        return self._document(self.send("DELETE", path))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Document | None = None,
        patience: float = 0,
    ) -> httpx.Response:
        """The response, whatever its status. Raises CommandFailed when there is none."""
        assert method == "GET" or self._offline is None, "a reader was asked to write"
        timeout = httpx.Timeout(_ANSWER_SECONDS + patience, connect=_CONNECT_SECONDS)
        given = {name: value for name, value in (params or {}).items() if value is not None}
        if self.down is not None and not self.is_offline:
            if self._offline is None:
                raise self._unreachable()
            self._go_offline()
        try:
            request = self._http.build_request(
                method,
                self.url + path,
                params=given,
                json=body,
                timeout=timeout,
                headers=self._signed_in(),
            )
            return self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if (problem := tls_problem(self.url, error)) is not None:
                raise problem from None
            if self._offline is None:
                raise self._unreachable() from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise CommandFailed(
                f"expected a URL such as http://127.0.0.1:8002, got {self.url!r} ({error})",
                ExitCode.USAGE,
            ) from None
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise CommandFailed(
                f"The gateway at {self.url} did not answer ({what}).", ExitCode.UNREACHABLE
            ) from None
        self._go_offline()
        return self.send(method, path, params=params)

    def _go_offline(self) -> None:
        """Answer from the disk from now on."""
        assert self._offline is not None
        transport = self._offline()
        self._http.close()
        self._http = self._client(transport)
        self.is_offline = self._is_known = True

    def _client(self, transport: httpx.BaseTransport | None) -> httpx.Client:
        headers = {b"accept": b"application/json"}
        secure = self.url.startswith("https:")
        # Plain http is for this machine, where no proxy is in between and no certificate read.
        return httpx.Client(headers=headers, transport=transport, trust_env=secure, verify=secure)

    def _signed_in(self) -> dict[bytes, bytes]:
        """The header with the token, once it is known who will read it."""
        if not self._token:
            return {}
        if not self._is_known:
            self._check_identity()
            self._is_known = True
        return token_header(self.url, self._token)

    def _check_identity(self) -> None:
        """Raise CommandFailed unless the gateway of the data directory listens here."""
        assert self._data_dir is not None
        key, challenge = read_key(self._data_dir), make_challenge()
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        # Before anything else: where nothing listens, that is what there is to say.
        response = self._http.get(
            f"{self.url}/config", params={"challenge": challenge}, timeout=timeout
        )
        found = dict(decode(response.content, url=self.url) or {})
        answer = found.get("proof")
        url = httpx.URL(self.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        if key is None or not is_proof(answer, key, challenge, port):
            raise WrongGateway(
                f"What listens at {self.url} is not the gateway of {self._data_dir}, so it was not "
                "given the token. Start that gateway with `ua serve`, restart it when its version "
                "is an older one, or name another gateway with --url. The token of a gateway that "
                "is elsewhere or behind a proxy goes into UA_OPS_TOKEN; "
                'of this directory\'s: UA_OPS_TOKEN="$(ua token show)".',
                ExitCode.UNREACHABLE,
            )

    def _unreachable(self) -> CommandFailed:
        if self.down is not None:
            return CommandFailed(self.down, ExitCode.UNREACHABLE)
        return CommandFailed(
            f"The gateway is down: nothing answers at {self.url}. Start it with `ua serve`, or "
            "name another with --url.",
            ExitCode.UNREACHABLE,
        )

    def _document(self, response: httpx.Response) -> Document:
        document = decode(response.content, url=self.url)
        if document is None:
            raise foreign_answer(self.url, response)
        if response.is_success:
            return document
        problem = dict(document)  # a proxy's too, which may have any fields
        detail = str(problem.get("detail") or problem.get("title") or "no reason given")
        field = problem.get("field")
        if isinstance(field, str) and field not in detail:
            detail = f"{field}: {detail}"
        if response.status_code == 401:
            detail += " Give it as UA_OPS_TOKEN or --ops-token."
        raise RequestRefused(detail, response.status_code)


def address_of(settings: Settings) -> str:
    """Where the gateway with these settings listens.

    A gateway that has the directory that was named is found by the address that it left there; so
    is one whose port was given on its own command line, where no setting says where one listens.
    """
    named = settings.source("data_dir") == "environment"
    if _is_at_defaults(settings) or (named and is_held(settings.database_path)):
        try:
            left = (
                read_regular(settings.data_dir / ADDRESS_FILE, limit=1024).decode("ascii").strip()
            )
        except (OSError, UnicodeDecodeError):
            left = ""
        if left.startswith("http://"):
            return left
    return address(settings.gateway_host, settings.gateway_port)


def why_down(settings: Settings, *, own: bool = False) -> str | None:
    """Why no gateway is to be asked: none has the data directory. None: ask what listens.

    The directory decides when it was named, or when no setting says where a gateway listens and a
    database is in it; with `own`, also before there is one. Raises CommandFailed when the directory
    that was named is not there, unless `own` allows for a gateway that has yet to make it.
    """
    named = settings.source("data_dir") == "environment"
    if named and not own:
        require_directory(settings)
    elif not named and not (_is_at_defaults(settings) and (own or settings.database_path.exists())):
        return None
    if is_held(settings.database_path):
        return None
    return (
        f"The gateway is down: none runs on {settings.data_dir}. Start it with "
        f"`ua serve --data-dir {settings.data_dir}`, or name another with --url."
    )


def require_directory(settings: Settings) -> None:
    """Raise CommandFailed when the data directory that was named is not there."""
    if settings.source("data_dir") == "environment" and not settings.data_dir.is_dir():
        raise CommandFailed(
            f"There is no directory {settings.data_dir} (--data-dir or UA_DATA_DIR). Name the "
            "directory of a gateway, or its address with --url.",
            ExitCode.USAGE,
        )


def _is_at_defaults(settings: Settings) -> bool:
    """Whether no setting says where the gateway listens."""
    return settings.source("gateway_host") == settings.source("gateway_port") == "default"


def address(host: str, port: int) -> str:
    """The URL at which this machine reaches a gateway that listens on `host`."""
    try:
        bound = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if bound.is_unspecified:
        bound = ipaddress.ip_address("127.0.0.1" if bound.version == 4 else "::1")
    return f"http://{bound}:{port}" if bound.version == 4 else f"http://[{bound}]:{port}"
