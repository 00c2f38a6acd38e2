"""The jobs and sessions of the demo, and the outcomes of their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One job of the demo: its harmless command, and its past."""

    title: str
    #: The schedule and policy, as in a request.
    fields: Mapping[str, Any]
    command: str
    #: What a run prints; runs take turns with these.
    prints: Sequence[str] = ("done\n",)
    #: Each so many-th run fails; 0: none does.
    fails_each: int = 0
    error: str = "exit code 1"
    #: How long a run takes.
    seconds: float = 4.0
    #: Each so many-th run takes very long.
    hangs_each: int = 0
    #: Hours before the end of the week at which the job is made.
    hours_ago: float = 7 * 24
    metadata: Mapping[str, Any] = field(default_factory=dict)


def _cron(expression: str, zone: str = "UTC", **policy: Any) -> dict[str, Any]:
    return {"cron_expr": expression, "timezone": zone, **policy}


PARTS: tuple[Part, ...] = (
    Part(
        title="Inbox triage",
        fields={"every": "1h", "on_miss": "run_latest"},
        command="echo '12 new, 2 need an answer'",
        prints=("12 new, 2 need an answer\n", "4 new, nothing urgent\n", "31 new, 5 drafted\n"),
        seconds=38,
    ),
    Part(
        title="Website is up",
        fields={"every": "30m", "on_miss": "skip"},
        command="echo '200 OK in 84 ms'",
        prints=("200 OK in 84 ms\n", "200 OK in 91 ms\n"),
        fails_each=97,
        error="exit code 22; last line: curl: (22) 502 Bad Gateway",
        seconds=0.3,
        metadata={"priority": "critical"},
    ),
    Part(
        title="Back up the notes",
        fields=_cron(
            "15 2 * * *", "Europe/Berlin", side_effects=True, useful_for_seconds=10 * 86_400
        ),
        command="echo 'sent 14.2 MB, 1,204 files unchanged'",
        prints=("sent 14.2 MB, 1,204 files unchanged\n",),
        seconds=95,
        metadata={"priority": "critical"},
    ),
    Part(
        title="Morning brief",
        fields=_cron("0 7 * * 1-5", "Europe/Berlin"),
        command="echo 'Three meetings, rain from noon, one invoice due'",
        prints=("Three meetings, rain from noon, one invoice due\n",),
        seconds=52,
    ),
    Part(
        title="Market scan",
        fields=_cron("30 9 * * 1-5", "America/New_York"),
        command="echo 'no alert: all positions within limits'",
        prints=("no alert: all positions within limits\n",),
        seconds=75,
    ),
    Part(
        title="News digest",
        fields=_cron("0 */6 * * *", on_miss="ask"),
        command="echo 'digest of 46 articles written'",
        prints=("digest of 46 articles written\n", "digest of 39 articles written\n"),
        fails_each=9,
        error="the endpoint's rate limit or quota is used up",
        seconds=140,
    ),
    Part(
        title="Repository review",
        fields={"every": "2h", "on_miss": "ask"},
        command="echo '2 pull requests reviewed'",
        prints=("2 pull requests reviewed\n", "nothing to review\n"),
        seconds=210,
        hangs_each=40,
    ),
    Part(
        title="Nightly build",
        fields=_cron("0 1 * * *", timeout_seconds=3600, on_miss="ask"),
        command="echo 'build passed in 11:42'",
        prints=("build passed in 11:42\n",),
        seconds=700,
    ),
    Part(
        title="Invoices",
        fields=_cron("0 11 * * *", "Asia/Kolkata", on_miss="ask"),
        command="echo '1 invoice filed'",
        prints=("1 invoice filed\n", "no new invoice\n"),
    ),
    Part(
        title="Calendar sync",
        fields={"every": "3h", "on_miss": "run_latest"},
        command="echo 'in step, 0 conflicts'",
        prints=("in step, 0 conflicts\n",),
        seconds=6,
    ),
    Part(
        title="Disk usage report",
        fields=_cron("0 6,18 * * *"),
        command="df -h / | tail -1",
        prints=("/dev/vda 252G 28G 74G 28% /\n",),
        seconds=0.2,
    ),
    Part(
        title="Old CRM export",
        fields=_cron("40 4 * * *", auto_pause_after=0),
        command="echo 'crm.example: connection refused' >&2; exit 7",
        prints=("crm.example: connection refused\n",),
        fails_each=1,
        error="exit code 7; last line: crm.example: connection refused",
        seconds=21,
        hours_ago=3 * 24,
    ),
    Part(
        title="Queue depth",
        fields={"every": "2m", "on_miss": "skip"},
        command="echo 'depth 3'",
        prints=("depth 3\n", "depth 0\n"),
        seconds=0.1,
        hours_ago=5,
    ),
    Part(
        title="Weekly report",
        fields=_cron("0 16 * * 5", "Europe/Berlin"),
        command="echo 'report sent to 6 readers'",
        prints=("report sent to 6 readers\n",),
        seconds=260,
    ),
    Part(
        title="Memory clean-up",
        fields=_cron("20 3 * * 0"),
        command="echo 'merged 118 notes into 40'",
        prints=("merged 118 notes into 40\n",),
        seconds=330,
    ),
    Part(
        title="Podcast transcripts",
        fields={"every": "8h"},
        command="echo '2 episodes transcribed'",
        prints=("2 episodes transcribed\n",),
        seconds=600,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A session of the demo, whose heart beats each hour."""

    owner: str
    workspace: str
    #: Its HEARTBEAT.md, whose checks are done from now on.
    checklist: str
    #: Each so many-th beat found something; 0: none did.
    alerts_each: int
    alert: str


COMPANIONS: tuple[Companion, ...] = (
    Companion(
        owner="ada",
        workspace="home-server",
        checklist="# Home server\n\n- [ ] disk: `df -h /`\n- [ ] clock: `date`\n",
        alerts_each=41,
        alert="disk: exit code 1\n/ is 91 % full",
    ),
    Companion(
        owner="ada",
        workspace="newsroom",
        checklist="# Newsroom\n\n- [ ] feeds: `true`\n",
        alerts_each=0,
        alert="",
    ),
)

#: When they came, in hours before the end of the week.
COMPANIONS_HOURS_AGO = 50.0

#: Made at the end of the week: what lies ahead.
AHEAD: tuple[Mapping[str, Any], ...] = (
    {"title": "Renew the certificate", "run_at": "in 26 hours", "command": "echo renewed"},
    {"title": "Send the slides", "run_at": "in 3 hours", "command": "echo sent"},
    {
        "title": "Old newsletter",
        "cron_expr": "0 12 * * 2",
        "command": "echo sent",
        "enabled": False,
        "off_label": "paused",
    },
)
