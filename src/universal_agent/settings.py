"""Settings: environment variables, their types and defaults.

Every environment variable that this product reads is a field here, typed and read once at start. An
invalid value stops the start with the variable's name (`SettingsError`).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from universal_agent.channel_settings import Channels
from universal_agent.errors import SettingsError
from universal_agent.files import read_regular
from universal_agent.masking import secrets_in_url, without_user
from universal_agent.pool_sizes import pool_sizes
from universal_agent.setting_values import (
    Flag,
    Words,
    agent_template,
    check_web_address,
    expanded_path,
    host_timezone,
    is_loopback_name,
    known_zone,
    networks,
    public_address,
    readings_of,
    service_addresses,
)

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

#: Least characters of a token where other machines can reach the gateway.
SHORTEST_WIDE_TOKEN = 32


#: Longer than any token.
_TOKEN_FILE_BYTES = 4096

#: Overrides with which no other machine is let in, for commands that make the token first.
LOOPBACK_ONLY: Mapping[str, Any] = {
    "gateway_host": "127.0.0.1",
    "allowed_hosts": (),
    "public_url": "",
    "trusted_proxies": (),
}

Source = Literal["default", "environment"]


def _named(name: str, *others: str) -> AliasChoices:
    return AliasChoices(name, *others)


class Settings(BaseSettings):
    """Every `UA_*` variable, by its name in docs/contract.md. Frozen: read once, never changed."""

    model_config = SettingsConfigDict(
        env_prefix="UA_",
        case_sensitive=False,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # -- the flags of the staged rollout
    sched_event_projection_enabled: Flag = True
    sched_push_enabled: Flag = True
    sched_event_bus_max: int = Field(default=5000, ge=100)
    client_push_enabled: Flag = Field(
        default=True, validation_alias=_named("NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED")
    )
    sched_projection_shadow: Flag = False

    # -- the engines
    enable_cron: Flag = True
    enable_heartbeat: Flag = True
    cron_max_concurrency: int = Field(default=8, ge=1, le=4096)
    cron_mock_response: Flag = False
    #: Workers in reserve for beats, turns and light jobs.
    light_workers: int = Field(default=2, ge=0, le=1024)
    #: Named bounds: NAME=SIZE, separated by commas.
    pools: Words = ()
    #: Waiting for this long raises a run's priority by one step.
    queue_aging_seconds: int = Field(default=300, ge=1)
    #: Health says so when a run has waited for this long.
    pool_wait_warn_seconds: int = Field(default=300, ge=1)
    #: The least time between two starts of missed slots.
    catch_up_spacing_ms: int = Field(default=100, ge=0, le=60_000)

    # -- heartbeats: domain/heartbeat.py reads the words in them
    heartbeat_mock_response: Flag = False
    heartbeat_every: str = Field(
        default="25m",
        validation_alias=_named("UA_HEARTBEAT_EVERY", "UA_HEARTBEAT_INTERVAL"),
    )
    heartbeat_active_hours: str = ""
    heartbeat_active_start: str = ""
    heartbeat_active_end: str = ""
    heartbeat_timezone: str = ""
    heartbeat_ok_tokens: Words = ("HEARTBEAT_OK", "UA_HEARTBEAT_OK")
    heartbeat_ack_max_chars: int = Field(default=300, ge=0)
    heartbeat_require_file: Flag = False
    heartbeat_prompt: str = ""
    heartbeat_exec_timeout: int = Field(default=300, ge=1)
    #: Planned beats in a row without one that ends, after which a session is silent; 0: never.
    heartbeat_silent_after: int = Field(default=3, ge=0, le=1000)
    hb_delivery_mode: Literal["last", "explicit", "none"] = "last"
    hb_explicit_session_ids: Words = ()
    hb_show_ok: Flag = False
    hb_show_alerts: Flag = True
    hb_dedupe_window: int = Field(default=86_400, ge=0)
    hb_use_indicator: Flag = False

    #: Seconds that a stop by signal waits for open runs to end.
    drain_seconds: int = Field(default=0, ge=0, le=86_400)

    # -- the listening address and access
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8002, ge=0, le=65535)
    ops_token: str = Field(default="", repr=False)
    allowed_hosts: Words = ()
    #: The address of the dashboard behind a proxy, with the path below which it is.
    public_url: str = ""
    #: Networks of the proxies whose X-Forwarded-For is believed.
    trusted_proxies: Words = ()

    # -- storage
    data_dir: Path = Path(".ua")
    workspaces_dir: Path | None = None
    database_url: str = Field(default="", repr=False)
    state_home: Path | None = Field(default=None, validation_alias=_named("XDG_STATE_HOME"))

    # -- retention; 0 keeps records without limit
    event_retention_days: int = Field(default=90, ge=0, le=36_500)
    run_log_retention_days: int = Field(default=90, ge=0, le=36_500)

    # -- notifications
    notifications_max: int = Field(default=500, ge=1, le=100_000)
    notification_snooze_minutes_default: int = Field(default=30, ge=1)
    notification_snooze_minutes_max: int = Field(default=1440, ge=1)
    notify_urls: Words = Field(default=(), repr=False)
    notify_channels: Channels = Field(default=(), repr=False)
    disk_free_min_mb: int = Field(default=200, ge=0, le=1_000_000_000)

    # -- system events
    system_events_max: int = Field(default=100, ge=1, le=10_000)

    # -- session continuity alarms
    continuity_resume_success_min: float = Field(default=0.90, ge=0, le=1)
    continuity_attach_success_min: float = Field(default=0.90, ge=0, le=1)
    continuity_failure_warn_threshold: int = Field(default=3, ge=1)

    # -- the watchdog's ping
    watchdog_ping_url: str = Field(default="", repr=False)

    # -- logging
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # -- missed slots
    #: What becomes of the missed slots of jobs that do not say; "cadence": it follows from how
    #: often they run.
    on_miss_default: Literal["cadence", "ask", "run_latest", "run_all", "skip"] = "cadence"
    #: When, in `default_timezone`, a day's expired misses are told; empty: never.
    expired_digest: str = Field(default="08:00", pattern=r"^((?:[01]\d|2[0-3]):[0-5]\d)?$")

    # -- limits
    max_jobs: int = Field(default=200_000, ge=1)
    min_interval_seconds: int = Field(default=1, ge=1)

    # -- child processes and the agent
    child_env: Words = ()
    agent_command: str = ""
    agent_base_url: str = Field(default="", repr=False)
    agent_model: str = ""
    agent_api_key: str = Field(default="", repr=False)

    # -- webhooks
    webhook_secret: str = Field(default="", repr=False)
    webhook_allow: Words = ()

    # -- tests (failpoint.py)
    failpoint: str = ""

    # -- people
    #: The zone of jobs, beats and answers that name none; empty: the host's.
    timezone: str = ""
    #: The zone of the dashboard's pages and the calendar; empty: `default_timezone`.
    user_timezone: str = Field(default="", validation_alias=_named("USER_TIMEZONE"))

    @field_validator("timezone", "user_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("pools")
    @classmethod
    def _pool_sizes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        pool_sizes(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _page_address(cls, value: str) -> str:
        return public_address(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return networks(value)

    @field_validator("data_dir", "workspaces_dir", "state_home")
    @classmethod
    def _with_home(cls, value: Path | None) -> Path | None:
        return None if value is None else Path(expanded_path(str(value)))

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith("sqlite:///"):
            raise ValueError(f"expected sqlite:///PATH, got {without_user(value)!r}")
        expanded_path(value.removeprefix("sqlite:///"))
        return value

    @field_validator("watchdog_ping_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value:
            check_web_address(value)
        return value

    @field_validator("notify_urls")
    @classmethod
    def _service_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return service_addresses(value)

    @field_validator("agent_command")
    @classmethod
    def _agent_template(cls, value: str) -> str:
        return agent_template(value)

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        if self.database_url:
            return Path(expanded_path(self.database_url.removeprefix("sqlite:///")))
        return self.data_dir / "ua.db"

    @property
    def workspaces_root(self) -> Path:
        """Every workspace lies under this.

        Links in a path that was set are resolved here, once; nothing that the gateway itself has
        put into its data directory may be one.
        """
        if self.workspaces_dir is not None:
            return self.workspaces_dir.resolve()
        return self.data_dir.resolve() / "workspaces"

    @property
    def state_dir(self) -> Path | None:
        """The record of known databases; None when this user has no home."""
        home = self.state_home
        if home is None or not home.is_absolute():  # which the XDG specification says to ignore
            try:
                home = Path.home() / ".local" / "state"
            except RuntimeError:
                return None
        return home / "universal-agent"

    @property
    def run_logs_dir(self) -> Path:
        """One file for each run that printed something."""
        return self.data_dir.resolve() / "runs"

    @property
    def slot_states_dir(self) -> Path:
        """One folder for each slot, in which its attempts leave what the next one needs."""
        return self.data_dir.resolve() / "state"

    @property
    def opened_by(self) -> str | None:
        """The first setting that lets other machines in, as `NAME=value`; None if none does.

        A name of another machine, and a proxy, mean that requests of others arrive over loopback.
        """
        hosts = [name for name in self.allowed_hosts if not is_loopback_name(name)]
        if not is_loopback_name(self.gateway_host):
            return f"UA_GATEWAY_HOST={self.gateway_host}"
        if hosts:
            return f"UA_ALLOWED_HOSTS={','.join(hosts)}"
        if self.public_url and not is_loopback_name(urlsplit(self.public_url).netloc):
            return f"UA_PUBLIC_URL={self.public_url}"
        if self.trusted_proxies:
            return f"UA_TRUSTED_PROXIES={','.join(self.trusted_proxies)}"
        return None

    @property
    def public_path(self) -> str:
        """The path below which the proxy has the gateway, without a slash at its end."""
        return urlsplit(self.public_url).path.rstrip("/")

    @property
    def has_agent(self) -> bool:
        """Whether an agent is configured."""
        return bool(self.agent_command or self.agent_base_url)

    @property
    def default_timezone(self) -> str:
        """The zone in which times are read that name none: UA_TIMEZONE, else the host's."""
        return self.timezone or host_timezone()

    @property
    def default_timezone_source(self) -> str:
        """Where `default_timezone` comes from: "UA_TIMEZONE" or "host"."""
        return "UA_TIMEZONE" if self.timezone else "host"

    @property
    def page_timezone(self) -> str:
        """The zone of pages and of the calendar: USER_TIMEZONE, else `default_timezone`."""
        return self.user_timezone or self.default_timezone

    def source(self, field: str) -> Source:
        """Where the value of `field` came from."""
        return "environment" if field in self.model_fields_set else "default"


def variable_name(field: str) -> str:
    """The environment variable that sets `field`."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"UA_{field.upper()}"


def load_settings(*, with_token_file: bool = True, **overrides: Any) -> Settings:
    """Read the environment, then `ops_token` in the data dir when no token is set.

    A token from the file does not count as set: `source` says "default". Raises SettingsError
    naming every variable that has a bad value, and for a token that is missing or too short where
    other machines are let in.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    if not settings.ops_token:
        # An empty option is not a token.
        settings.model_fields_set.discard("ops_token")
        token = read_token_file(settings.data_dir) if with_token_file else None
        if token is not None:
            settings = settings.model_copy(update={"ops_token": token})
            settings.model_fields_set.discard("ops_token")
    if settings.opened_by and not settings.ops_token:
        raise SettingsError(
            f"{settings.opened_by} lets other machines in, so UA_OPS_TOKEN must be set: who "
            "reaches the gateway runs commands on this machine. Make a token with `ua token new`, "
            "or unset the variable."
        )
    if settings.ops_token:
        check_token(settings, settings.ops_token)
    return settings


def read_token_file(data_dir: Path) -> str | None:
    """The token in the data directory; None when there is no file.

    Raises SettingsError for a file without a token in it: an empty file does not mean that no token
    is needed.
    """
    file = data_dir / "ops_token"
    advice = "`ua token new --force` puts a token in it; without a token, remove the file."
    try:
        # The operator's own choice may be a link to where secrets are kept.
        token = read_regular(file.resolve(), limit=_TOKEN_FILE_BYTES).decode().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(
            f"{file}: expected a token in UTF-8, got other bytes. {advice}"
        ) from None
    if not token:
        raise SettingsError(f"{file}: expected a token, got an empty file. {advice}")
    return token


def check_token(settings: Settings, token: str) -> None:
    """Raise SettingsError unless these settings may go with that token."""
    if token != token.strip() or not token.isprintable():
        # No header can carry it, so it would lock everybody out.
        raise SettingsError(
            "UA_OPS_TOKEN: expected one line of printable characters without blanks around it, got "
            "something else. `ua token new --force` makes a good one."
        )
    if settings.opened_by and len(token) < SHORTEST_WIDE_TOKEN:
        raise SettingsError(
            f"UA_OPS_TOKEN: expected at least {SHORTEST_WIDE_TOKEN} characters where other "
            f"machines are let in ({settings.opened_by}), got {len(token)}. "
            "`ua token new` makes a good one."
        )
    if token in readings_of(settings.webhook_secret):
        raise SettingsError(
            "UA_WEBHOOK_SECRET: expected a secret of its own, got the operator's token. A "
            "receiver of webhooks could act as the operator."
        )


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        field = str(problem["loc"][0])
        name = variable_name(field) if field in Settings.model_fields else field
        message = problem["msg"].removeprefix("Value error, ")
        if "got" not in message:
            secret = field in Settings.model_fields and not Settings.model_fields[field].repr
            message += ", got something else" if secret else f", got {problem['input']!r}"
        lines.append(f"{name}: {message}")
    return "; ".join(lines)


def inherited(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The part of the gateway's own environment that a child process may see.

    An allow-list: what is needed to run at all, and what UA_CHILD_ENV names.
    """
    source = os.environ if environ is None else environ
    names = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SHELL", "SSL_CERT_FILE")
    return {n: source[n] for n in (*names, *settings.child_env) if n in source}


#: Words in the names of variables whose values are secret.
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)


def secrets_of(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """The values in these settings that are masked in all output."""
    source = os.environ if environ is None else environ
    secrets = [settings.ops_token, settings.agent_api_key, settings.webhook_secret]
    for url in (settings.watchdog_ping_url, *settings.notify_urls):
        secrets += secrets_in_url(url)
    for channel in settings.notify_channels:
        secrets += [*channel.secrets, *secrets_in_url(channel.url or channel.webhook)]
    userinfo = settings.agent_base_url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    secrets += [userinfo, userinfo.partition(":")[2]]
    secrets += [source.get(name, "") for name in settings.child_env if _SECRET_NAME.search(name)]
    return [secret for secret in secrets if secret]
