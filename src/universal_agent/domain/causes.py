"""The cause of a failure: what the errors of several jobs have in common.

Numbers, ids, times and paths differ from run to run and from job to job, so they are left out. An
error that says nothing beyond how the run ended (`exit code 1`) is a cause only together with what
failed: the program or the endpoint.
"""

import re
import shlex
from hashlib import blake2b

#: Ports from here on are given out by the system, another one each time.
_EPHEMERAL_PORT = 32768

_TIMES = re.compile(
    r"\d{4}-\d\d-\d\d([t ]\d\d:\d\d(:\d\d)?([.,]\d+)?(z|[+-]\d\d:?\d\d)?)?|\b\d\d:\d\d(:\d\d)?\b"
)
_UUIDS = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_HOSTS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?(?![\d.])")
_NAMED_PORTS = re.compile(r"(?<=[a-z]):(\d{2,5})\b")
_URLS = re.compile(r"\b(https?|wss?|ftp)://([^\s/?#]+)[^\s]*")
_PATHS = re.compile(
    r"(?<![\w/:.])(~|\.{1,2})?(/[^\s/:;,'\")]+){2,}/?|(?<![\w/:.])[\w.-]+(/[\w.-]+){2,}"
)
#: What a number means there is the cause.
_CODES = re.compile(r"\b(exit code|http|status|errno|signal|code)([ :=#]*)(\d{1,5})\b")
_IDS = re.compile(r"\b(?=\w*\d)\w{6,}\b|\b\w+_(?=\w*\d)\w+\b")
_NUMBERS = re.compile(r"\d+([.,]\d+)*")
_BLANKS = re.compile(r"\s+")

#: How a run ended, without a word about why.
_BARE_END = re.compile(
    r"(exit code \w+|killed by \w+|no end (with)?in .*|not ended (with)?in .*|timeout.*|timed out.*"
    r"|error|failed)?[.;: ]*"
)


def signature(error: str) -> str:
    """The error without what differs between runs of one cause."""
    kept: list[str] = []

    def keep(text: str) -> str:
        kept.append(text)
        # Letters: what stands for kept text is no number itself.
        return f"\x00{'i' * len(kept)}\x01"

    def host(found: re.Match[str]) -> str:
        port = found[2]
        named = port is not None and int(port) < _EPHEMERAL_PORT
        return keep(f"{found[1]}:{port}" if named else found[1])

    def named_port(found: re.Match[str]) -> str:
        return keep(f":{found[1]}") if int(found[1]) < _EPHEMERAL_PORT else ":#"

    text = error.lower().replace("\x00", "").replace("\x01", "")
    text = _URLS.sub(lambda found: f"{found[1]}://{found[2]}", text)
    text = _TIMES.sub("#", text)
    text = _UUIDS.sub("#", text)
    text = _HOSTS.sub(host, text)
    text = _NAMED_PORTS.sub(named_port, text)
    text = _PATHS.sub("/#", text)
    text = _CODES.sub(lambda found: keep(f"{found[1]} {found[3]}"), text)
    text = _IDS.sub("#", text)
    text = _NUMBERS.sub("#", text)
    text = re.sub("\x00(i+)\x01", lambda found: kept[len(found[1]) - 1], text)
    return _BLANKS.sub(" ", text).strip()


def resource_of(command: str, runner: str) -> str:
    """What a job uses: the program of its command, or the host of its address."""
    if runner == "shell":
        try:
            words = shlex.split(command)
        except ValueError:
            words = command.split()
        return f"shell:{words[0] if words else ''}"
    if runner == "http":
        return "http:" + command.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()
    return runner


def cause_key(error: str, resource: str) -> str:
    """The same for failures of one cause."""
    cause = signature(error)
    if _BARE_END.fullmatch(cause):
        cause = f"{cause} in {resource}"
    return blake2b(cause.encode(), digest_size=10).hexdigest()
