"""The config of heartbeats that the gateway's settings say, for all sessions."""

from dataclasses import replace

from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.heartbeat import DEFAULT_PROMPT, HeartbeatConfig, configured
from universal_agent.errors import InvalidInput, SettingsError
from universal_agent.settings import Settings


def config_from(settings: Settings) -> HeartbeatConfig:
    """The config for all sessions, from the gateway's settings.

    Raises SettingsError that names the variable with an invalid value.
    """
    values: dict[str, object] = {
        "UA_HEARTBEAT_EVERY": settings.heartbeat_every,
        "UA_HEARTBEAT_TIMEZONE": settings.heartbeat_timezone or settings.default_timezone,
        "UA_HEARTBEAT_PROMPT": settings.heartbeat_prompt or DEFAULT_PROMPT,
        "UA_HEARTBEAT_OK_TOKENS": settings.heartbeat_ok_tokens,
        "UA_HEARTBEAT_ACK_MAX_CHARS": settings.heartbeat_ack_max_chars,
        "UA_HEARTBEAT_REQUIRE_FILE": settings.heartbeat_require_file,
        "UA_HEARTBEAT_EXEC_TIMEOUT": settings.heartbeat_exec_timeout,
        "UA_HB_DELIVERY_MODE": settings.hb_delivery_mode,
        "UA_HB_EXPLICIT_SESSION_IDS": settings.hb_explicit_session_ids,
        "UA_HB_SHOW_OK": settings.hb_show_ok,
        "UA_HB_SHOW_ALERTS": settings.hb_show_alerts,
        "UA_HB_DEDUPE_WINDOW": settings.hb_dedupe_window,
        "UA_HB_USE_INDICATOR": settings.hb_use_indicator,
    }
    try:
        config = configured(values)
        return replace(config, active_hours=_active_hours(settings))
    except InvalidInput as error:
        raise SettingsError(error.message) from None


def _active_hours(settings: Settings) -> ActiveHours | None:
    start, end = settings.heartbeat_active_start, settings.heartbeat_active_end
    if text := settings.heartbeat_active_hours:
        if start or end:
            raise InvalidInput(
                "UA_HEARTBEAT_ACTIVE_HOURS: expected it alone, or UA_HEARTBEAT_ACTIVE_START and "
                "UA_HEARTBEAT_ACTIVE_END instead, got both"
            )
        return ActiveHours.parse(text, field="UA_HEARTBEAT_ACTIVE_HOURS")
    if not (start or end):
        return None
    field = "UA_HEARTBEAT_ACTIVE_START" if start else "UA_HEARTBEAT_ACTIVE_END"
    return ActiveHours.between(start or "00:00", end or "24:00", field=field)
