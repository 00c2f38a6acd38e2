"""Error messages for answers that come from a proxy, not from the gateway."""

import ssl

import httpx

from universal_agent.cli.failure import CommandFailed, ExitCode

#: HTTP statuses with which a proxy reports on the gateway behind it.
_BEHIND = {
    502: "it cannot reach the gateway behind it, or the gateway broke off",
    503: "it has no gateway to pass the request to",
    504: "the gateway behind it did not answer in the time that the proxy allows; "
    "what was asked for may still be going on",
}


def foreign_answer(url: str, response: httpx.Response) -> CommandFailed:
    """The error for an answer that is not a document of the gateway."""
    status = response.status_code
    if status in _BEHIND:
        return _failed(f"A proxy answers at {url} with HTTP {status}: {_BEHIND[status]}.")
    if response.is_redirect:
        target = response.headers.get("location", "elsewhere")
        return _failed(
            f"{url} redirects to {target} (HTTP {status}). Name the address that answers itself "
            "with --url; a page to sign in at cannot be used by a command."
        )
    if status in (401, 403, 407):
        asks = response.headers.get("www-authenticate", "").partition(" ")[0]
        how = f", and asks for {asks} credentials of its own" if asks else ""
        return _failed(
            f"A proxy at {url} refuses the request with HTTP {status}{how}. Let it pass "
            "`Authorization: Bearer` on to the gateway, or name the gateway itself with --url.",
            ExitCode.REFUSED,
        )
    if status == 413:
        return _failed(
            f"A proxy at {url} refuses a body of this size (HTTP 413); the gateway takes 1 MiB.",
            ExitCode.USAGE,
        )
    kind = response.headers.get("content-type", "").partition(";")[0] or "no content type"
    return _failed(
        f"What answers at {url} is not a gateway (HTTP {status}, {kind}). A path that a proxy "
        "puts in front belongs into --url."
    )


def tls_problem(url: str, error: Exception) -> CommandFailed | None:
    """The error for a failed TLS handshake; None for any other failed connection."""
    if not url.startswith("https:"):
        return None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _failed(
                f"The certificate of {url} is not trusted ({cause.verify_message}). Set "
                "SSL_CERT_FILE to the file of the authority that signed it."
            )
        if isinstance(cause, ssl.SSLError):
            return _failed(f"No TLS with {url} ({cause.reason or cause}). Does it speak http?")
        cause = cause.__cause__ or cause.__context__
    if "SSL" in str(error) or "CERTIFICATE" in str(error):
        return _failed(f"No TLS with {url} ({error}).")
    return None


def refused_upgrade(url: str, status: int) -> CommandFailed:
    """The error for a WebSocket handshake that was answered with an HTTP status."""
    if status in (401, 403):
        return _failed(
            f"The stream of the session was refused with HTTP {status}: the token is wrong or "
            "missing, or the host name is not one that the gateway answers to.",
            ExitCode.REFUSED,
        )
    if status in (400, 404, 426) or status < 400:
        return _failed(
            f"{url} answered the WebSocket handshake with HTTP {status}: a proxy in between must "
            "pass the headers Upgrade and Connection on (docs/how-to/proxy.md)."
        )
    if status in _BEHIND:
        return _failed(f"A proxy answers at {url} with HTTP {status}: {_BEHIND[status]}.")
    return _failed(f"The stream of the session was refused with HTTP {status}.")


def _failed(message: str, code: ExitCode = ExitCode.UNREACHABLE) -> CommandFailed:
    return CommandFailed(message, code)
