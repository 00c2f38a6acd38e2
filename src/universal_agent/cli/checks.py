"""The checks of `ua doctor`: one function each, with advice for what it finds."""

import os
import shutil
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from universal_agent import __version__
from universal_agent.cli.answers import AnswerObject, decode
from universal_agent.cli.client import Gateway, WrongGateway
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document
from universal_agent.cli.unknown_settings import sentence, unknown_settings
from universal_agent.clock import SystemClock
from universal_agent.engine.channels import Channel, DeliveryFailed, build_channels
from universal_agent.errors import DataDirLocked, StartupError, StoreCorrupt
from universal_agent.runners.agent import AgentState, agent_state
from universal_agent.runners.base import load_runners
from universal_agent.settings import Settings
from universal_agent.store.databases.accept_loss import find_loss
from universal_agent.store.databases.checkup import check_database, sqlite_version
from universal_agent.store.databases.data_lock import DataLock

_MEGABYTE = 1024 * 1024

#: Free space below which a check fails, and below which it warns.
_SPACE_FAIL = 100 * _MEGABYTE
_SPACE_WARN = 1024 * _MEGABYTE

#: The largest difference between two readings of one clock that is not reported.
_CLOCK_TOLERANCE = timedelta(seconds=5)

#: How long the gateway may take to connect to its channels, beyond the usual time of an answer.
_CHANNEL_SECONDS = 60.0

#: The release of this product; a clock with an earlier time was never set.
_FIRST_PLAUSIBLE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """The name of a check, its result, and advice."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    advice: str = ""

    def document(self) -> Document:
        """The wire form."""
        return asdict(self)


def examine(settings: Settings, gateway: Gateway, *, now: datetime) -> list[Check]:
    """Run every check, in the order in which they are shown."""
    health, reached = _reach(settings, gateway)
    checks: tuple[Callable[[], Check], ...] = (
        partial(_token, settings, gateway, is_up=health is not None),
        partial(_clock, settings, health, now=now),
        partial(_data_dir, settings),
        partial(_database, settings, is_up=health is not None),
        partial(_disk, settings),
        partial(_runners, settings, health),
        partial(_zones, settings),
        partial(_channels, settings, gateway, is_up=health is not None),
    )
    made = [reached, *(check() for check in checks)]
    if unknown := unknown_settings(os.environ, settings.child_env):
        found = "; ".join(sentence(name, nearest) for name, nearest in unknown.items())
        made.append(Check("settings", "warn", found, "Correct the names, or unset them."))
    return made


def _reach(settings: Settings, gateway: Gateway) -> tuple[Document | None, Check]:
    """The health document (None while the gateway is down), and the check of it."""
    try:
        response = gateway.send("GET", "/api/v1/health")
    except CommandFailed as error:
        if error.code is not ExitCode.UNREACHABLE or isinstance(error, WrongGateway):
            return None, Check("gateway", "fail", error.message)
        detail = gateway.down or f"nothing answers at {gateway.url}"
        if left_undone := _switched_off(_profile_of(settings)):
            detail += f"; with these settings it would have {left_undone[0]}"
        return None, Check("gateway", "warn", detail, "Start it with `ua serve`.")
    health = decode(response.content, url=gateway.url)
    if health is None or not health.keys() >= {"status", "timestamp", "version"}:
        return None, Check(
            "gateway",
            "fail",
            f"what answers at {gateway.url} is not a gateway",
            "Another program has its port: stop that, or choose another UA_GATEWAY_PORT.",
        )
    try:
        return health, _health(gateway, health)
    except CommandFailed as error:
        return None, Check("gateway", "fail", error.message)


def _health(gateway: Gateway, health: AnswerObject) -> Check:
    """The check of a health document. Raises CommandFailed when a field is of a wrong kind."""
    version, status, _ = health["version"], health["status"], health["timestamp"]
    profile = health.get("deployment_profile", {})
    left_undone, _ = _switched_off(profile), profile.get("agent")
    if status != "healthy":
        reasons = "; ".join(health.get("reasons", [])) or "it does not say why"
        advice = "Its log says more; a database that cannot be written to needs space or rights."
        return Check("gateway", "fail", f"unhealthy: {reasons}", advice)
    if version != __version__:
        return Check(
            "gateway",
            "warn",
            f"healthy at {gateway.url}, but version {version}; this is {__version__}",
            "Restart it to bring both to one version.",
        )
    if left_undone is not None:
        what, advice = left_undone
        return Check("gateway", "warn", f"healthy at {gateway.url}, but {what}", advice)
    return Check("gateway", "ok", f"healthy at {gateway.url}, version {version}")


def _token(settings: Settings, gateway: Gateway, *, is_up: bool) -> Check:
    file = settings.data_dir / "ops_token"
    if file.exists() and file.stat().st_mode & 0o077:
        return Check(
            "token",
            "fail",
            f"others on this machine can read {file}",
            f"chmod 600 {file}, or replace it: ua token new --force",
        )
    if is_up and gateway.send("GET", "/api/v1/cron/next").status_code in (401, 403):
        return Check(
            "token",
            "fail",
            "the gateway refuses ours" if settings.ops_token else "the gateway asks for one",
            "Give the one it was started with as UA_OPS_TOKEN, or restart it.",
        )
    if settings.ops_token:
        return Check("token", "ok", "set, and readable only by its owner")
    return Check(
        "token",
        "ok",
        "none; every program on this machine can use the gateway, and a proxy in front of it is "
        "refused (`ua token new`)",
    )


def _clock(settings: Settings, health: Document | None, *, now: datetime) -> Check:
    advice = "Set the clock, and keep it set with NTP: slots are due by it."
    if now < _FIRST_PLAUSIBLE:
        return Check("clock", "fail", f"it says {now.isoformat(timespec='seconds')}", advice)
    if health is not None:
        apart = now - datetime.fromisoformat(health["timestamp"])
        if abs(apart) > _CLOCK_TOLERANCE:
            seconds = apart.total_seconds()
            return Check("clock", "warn", f"{seconds:+.0f} s from the gateway's", advice)
    if settings.database_path.exists():
        written = datetime.fromtimestamp(settings.database_path.stat().st_mtime, UTC)
        if written > now + _CLOCK_TOLERANCE:
            return Check("clock", "fail", f"the database was written at {written}", advice)
    return Check("clock", "ok", now.isoformat(timespec="seconds"))


def _data_dir(settings: Settings) -> Check:
    path = settings.data_dir.absolute()
    if not path.exists():
        return Check("data", "ok", f"{path} does not exist yet; `ua serve` makes it")
    if not path.is_dir():
        return Check("data", "fail", f"{path} is not a directory", "Choose another UA_DATA_DIR.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        advice = f"Run as its owner, or choose another UA_DATA_DIR: chown {os.getuid()} {path}"
        return Check("data", "fail", f"{path} cannot be written to", advice)
    if path.stat().st_mode & 0o077:
        return Check("data", "warn", f"others can look into {path}", f"chmod 700 {path}")
    return Check("data", "ok", str(path))


def _database(settings: Settings, *, is_up: bool) -> Check:
    path = settings.database_path
    version = sqlite_version()
    if not is_up and (missing := _missing(settings)) is not None:
        return missing
    if not path.exists():
        return Check("database", "ok", f"none yet (SQLite {version})")
    try:
        # The lock keeps writers out while every page is read; a running gateway holds it itself.
        lock = None if is_up else DataLock(path)
        try:
            found = check_database(path, every_page=lock is not None)
        finally:
            if lock is not None:
                lock.close()
    except DataDirLocked as error:
        return Check("database", "warn", error.message, "Is the gateway on another port? --url")
    except StoreCorrupt as error:
        advice = "Put a backup in its place, or move it away to begin with an empty one."
        return Check("database", "fail", error.message, advice)
    except OSError as error:
        return Check("database", "fail", f"{path}: {error.strerror}", "Run as its owner.")
    what = f"schema {found.schema}, {found.size_bytes / _MEGABYTE:.1f} MB, SQLite {version}"
    if found.schema > found.newest_schema:
        advice = f"Run a newer universal-agent; this one knows schemas up to {found.newest_schema}."
        return Check("database", "fail", what, advice)
    if found.schema < found.newest_schema:
        what += f"; the next start brings it to schema {found.newest_schema}"
    return Check("database", "ok", what)


def _missing(settings: Settings) -> Check | None:
    """The check that fails for acknowledged data that are gone; None if nothing is missing."""
    try:
        loss = find_loss(settings.database_path.absolute(), settings.state_dir)
    except (StoreCorrupt, OSError):
        return None  # the check of the database itself says so
    return None if loss is None else Check("database", "fail", loss)


def _profile_of(settings: Settings) -> Document:
    """The deployment profile that a gateway with these settings would have."""
    return {
        "cron": settings.enable_cron,
        "heartbeat": settings.enable_heartbeat,
        "mock_responses": settings.cron_mock_response or settings.heartbeat_mock_response,
    }


def _switched_off(profile: Document) -> tuple[str, str] | None:
    """What a gateway with this profile does not do, and advice; None if it does everything."""
    off = [name for name in ("cron", "heartbeat") if not profile.get(name, True)]
    if off:
        variables = " and ".join(f"UA_ENABLE_{name.upper()}=0" for name in off)
        advice = f"Start it without {variables}: until then their slots are missed (engine_off)."
        return f"{' and '.join(off)} switched off", advice
    if profile.get("mock_responses"):
        advice = "Start it without UA_CRON_MOCK_RESPONSE and UA_HEARTBEAT_MOCK_RESPONSE."
        return "mocked answers: its runs do nothing", advice
    return None


def _disk(settings: Settings) -> Check:
    place = next(p for p in _and_parents(settings.data_dir.absolute()) if p.exists())
    free = shutil.disk_usage(place).free
    what = f"{free / _MEGABYTE / 1024:.1f} GB free for {settings.data_dir}"
    advice = "Make room: without it nothing can be recorded, and nothing is started."
    if free < _SPACE_FAIL:
        return Check("disk", "fail", what, advice)
    return Check("disk", "warn", what, advice) if free < _SPACE_WARN else Check("disk", "ok", what)


def _runners(settings: Settings, health: Document | None) -> Check:
    try:
        names = ", ".join(sorted(load_runners(settings)))
    except StartupError as error:
        advice = "Repair or uninstall that plug-in, or correct its settings."
        return Check("runners", "fail", error.message, advice)
    if not os.access("/bin/sh", os.X_OK):
        return Check("runners", "warn", f"{names}; but there is no /bin/sh", "Install a shell.")
    return _agent(settings, health, names)


def _agent(settings: Settings, health: Document | None, names: str) -> Check:
    """The check of the running gateway's agent, or of the agent in these settings."""
    state, problem = agent_state(settings)
    advice = "Name it with its whole path in UA_AGENT_COMMAND, or give the gateway a PATH with it."
    running = (health or {}).get("deployment_profile", {}).get("agent")
    if running == AgentState.MISSING:
        problem = problem or "the program in UA_AGENT_COMMAND is not found"
        detail = f"{names}; agent: {problem}, as the gateway sees it"
        return Check("runners", "fail", detail, advice)
    if running is not None and running != state:
        return Check("runners", "ok", f"{names}; agent of the gateway: {running}")
    if problem is not None:
        status: Literal["warn", "fail"] = "fail" if state is AgentState.MISSING else "warn"
        return Check("runners", status, f"{names}; agent: {problem}", advice)
    agent = "set up" if settings.has_agent else "none set up (UA_AGENT_COMMAND)"
    return Check("runners", "ok", f"{names}; agent: {agent}")


def _channels(settings: Settings, gateway: Gateway, *, is_up: bool) -> Check:
    """The check of the channels of notifications: each is connected to, and sent nothing."""
    if is_up:
        answer = gateway.send("POST", "/api/v1/notify/channels/check", patience=_CHANNEL_SECONDS)
        found = answer.json() if answer.is_success else {}
        if "results" not in found:
            return Check("channels", "warn", f"not asked: HTTP {answer.status_code}")
        results = found["results"]
    else:
        try:
            channels = build_channels(settings, SystemClock())
        except StartupError as error:
            return Check("channels", "fail", error.message, "Correct the variable, or unset it.")
        results = [_reached(channel) for channel in channels]
    if not results:
        return Check("channels", "ok", "none set (UA_NOTIFY_URLS, UA_NOTIFY_CHANNELS)")
    failed = [f"{one['channel']}: {one['answer']}" for one in results if not one["ok"]]
    if failed:
        advice = "`ua notify test` sends a message through each and prints the answers."
        return Check("channels", "warn", "; ".join(failed), advice)
    answers = "; ".join(f"{one['channel']}: {one['answer']}" for one in results)
    return Check("channels", "ok", answers)


def _reached(channel: Channel) -> Document:
    try:
        answer, is_ok = channel.target.reach(), True
    except DeliveryFailed as failure:
        answer, is_ok = str(failure), False
    return {"channel": channel.name, "ok": is_ok, "answer": answer}


def _zones(settings: Settings) -> Check:
    advice = "Install the system's tzdata, or the tzdata package into this environment."
    if len(zoneinfo.available_timezones()) < 2:
        return Check("zones", "fail", "there is no time zone data", advice)
    return Check(
        "zones",
        "ok",
        f"zone data {_zone_version()}; times are read in {settings.default_timezone} "
        f"({settings.default_timezone_source})",
    )


def _zone_version() -> str:
    """The release of the zone data; the system's data take precedence over the package."""
    for folder in map(Path, zoneinfo.TZPATH):
        stamp = folder / "tzdata.zi"
        if stamp.is_file():
            with stamp.open(encoding="utf-8", errors="replace") as file:
                return file.readline().removeprefix("# version").strip()
        if folder.is_dir():
            return f"of {folder}"
    return "of the tzdata package"


def _and_parents(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents
