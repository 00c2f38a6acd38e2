"""The session that the end of a job's run wakes, and when.

A job that is bound to a session says so in its metadata; the default is the next beat.
"""

from universal_agent.domain.job import JobSpec
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import WakeMode

_OFF = ("off", "none", "false", "0", "no")


def woken_by(spec: JobSpec) -> tuple[str, WakeMode] | None:
    """The session to wake when a run of the job has ended, and how; None when there is none."""
    if spec.source is not Source.CRON:
        return None
    own = spec.metadata.get("wake_session_id")
    session_id = own if isinstance(own, str) and own else spec.session_id
    if session_id is None:
        return None
    asked = spec.metadata.get("wake_heartbeat")
    mode = spec.metadata.get("wake_mode")
    for word in (asked, mode):
        if word is False or (isinstance(word, str) and word.lower() in _OFF):
            return None
    if WakeMode.NOW in (asked, mode):
        return session_id, WakeMode.NOW
    return session_id, WakeMode.NEXT
