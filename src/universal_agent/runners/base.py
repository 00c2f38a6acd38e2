"""The interface of a runner, and the discovery of installed runners.

A runner executes one run and reports how it ended. It knows nothing of schedules, slots or the
store. The executor owns time limits and cancellation: it cancels the runner's task, and the runner
stops every process it started before CancelledError propagates.

Runners are discovered through the entry-point group `universal_agent.runners`; an entry point is a
callable `(Settings) -> Runner`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from universal_agent.domain.beat import BeatReport
from universal_agent.domain.ending import Ending
from universal_agent.domain.fail_on import FailOn
from universal_agent.domain.run import RunStatus
from universal_agent.domain.system_event import SystemEvent
from universal_agent.errors import InvalidInput, StartupError
from universal_agent.files import folder
from universal_agent.runners.keepers import Keepers
from universal_agent.runners.output import RunOutput
from universal_agent.runners.signs_of_life import progress_path
from universal_agent.runners.workspace_files import open_workspace
from universal_agent.settings import Settings

#: The message of the cancellation when a run is stopped because the gateway stops.
GATEWAY_STOPS = "the gateway stops"

#: The message when the gateway stops and leaves the run to its keeper. A runner without one stops
#: the run.
GATEWAY_LEAVES = "the gateway leaves"

#: The longest command, in bytes of UTF-8.
COMMAND_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The run that a runner executes."""

    run_id: str
    job_id: str
    event_id: str
    #: The work, in the runner's own terms: a shell line, a prompt, a URL. Never interpolated.
    command: str
    workspace_dir: Path
    #: The folder that contains all workspaces; None means the parent of this workspace.
    workspaces_root: Path | None = None
    #: Receives the output: capped, and readable while the run is active.
    output: RunOutput
    scheduled_at: datetime
    attempt: int = 1
    trigger: str = "schedule"
    #: Seconds between the slot and the start. Set only when the run is late on purpose: a person
    #: approved it, or the job's `on_miss` policy did.
    late_seconds: int | None = None
    approved_by: str | None = None
    model: str | None = None
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: The job's rules of failure; the executor applies those about output.
    fail_on: FailOn | None = None
    #: The run's log. Files in which a program may say something are next to it.
    log: Path | None = None
    #: When its time limit ends.
    deadline: datetime | None = None
    #: Starts child processes that outlive the gateway; None: they end with it.
    keepers: Keepers | None = None
    #: Whether an earlier gateway has started the run, so that it is adopted and not started.
    is_adopted: bool = False
    #: The run's time limit, which its keeper keeps while no gateway is there.
    limit_seconds: float | None = None
    #: The interrupted run that this one repeats.
    previous_run_id: str | None = None
    #: The folder of the slot, which all its attempts share.
    state_dir: Path | None = None
    #: For a session's beat: the pending system events, and what woke the session.
    notes: Sequence[SystemEvent] = ()

    @contextmanager
    def open_workspace(self, *, create: bool = False) -> Iterator[int]:
        """A descriptor of the workspace, opened from the workspaces folder without following links.

        Use it, not `workspace_dir`, for everything that is read, written or run there: the path may
        lead elsewhere by now. Raises OSError that names the part which is not a folder.
        """
        with open_workspace(*self.workspace, create=create) as descriptor:
            yield descriptor

    @property
    def workspace(self) -> tuple[Path, Path]:
        """The folder that contains all workspaces, and the path of this workspace."""
        if self.workspaces_root is not None:
            return self.workspaces_root, self.workspace_dir
        top = self.workspace_dir.parent.resolve()
        return top, top / self.workspace_dir.name

    @property
    def outcome_file(self) -> Path | None:
        """Where a program may say how it ended (outcome_file.py)."""
        return None if self.log is None else self.log.with_suffix(".outcome")

    def make_state_dir(self) -> None:
        """Create the slot's folder if there is none. Raises OSError, also for a link in its path.

        Its path is a day and a name below the folder of all of them, in the data directory.
        """
        if self.state_dir is not None:
            top = self.state_dir.parents[2]
            with folder(top, self.state_dir.relative_to(top), create=True):
                pass

    def facts(self) -> dict[str, str]:
        """The environment variables that describe the slot to the child (docs/runners.md)."""
        facts = {
            "UA_JOB_ID": self.job_id,
            "UA_RUN_ID": self.run_id,
            "UA_EVENT_ID": self.event_id,
            "UA_SCHEDULED_AT": str(int(self.scheduled_at.timestamp())),
            "UA_ATTEMPT": str(self.attempt),
            "UA_TRIGGER": self.trigger,
        }
        if self.late_seconds is not None:
            facts["UA_LATE_SECONDS"] = str(self.late_seconds)
        if self.log is not None:
            facts["UA_OUTCOME_FILE"] = str(self.outcome_file)
            facts["UA_PROGRESS"] = str(progress_path(self.log))
        if self.deadline is not None:
            facts["UA_DEADLINE"] = f"{self.deadline:%Y-%m-%dT%H:%M:%SZ}"
        if self.approved_by is not None:
            facts["UA_APPROVED_BY"] = self.approved_by
        if self.previous_run_id is not None:
            facts["UA_PREVIOUS_RUN_ID"] = self.previous_run_id
        if self.state_dir is not None:
            facts["UA_STATE_DIR"] = str(self.state_dir)
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The end of a run, as its runner reports it."""

    #: SUCCESS, ERROR, or SKIPPED with a reason; the executor sets TIMEOUT, STALLED and CANCELLED.
    status: RunStatus
    #: One sentence for people; None on success.
    error: str | None = None
    #: Why the run was skipped, in one word.
    reason: str | None = None
    #: A process's exit code (negative: the signal that killed it), or an HTTP status.
    exit_code: int | None = None
    #: The report of a session's beat; stored in the same commit as its end.
    report: BeatReport | None = None
    #: Why it failed, where that is known to be more than a failure of the work.
    ending: Ending | None = None


class Runner(Protocol):
    """Executes runs of one kind.

    One with `adopts = True` takes over a run that an earlier gateway has started
    (`RunRequest.is_adopted`).
    """

    name: str

    def check(self, command: str) -> None:
        """Raise InvalidInput(field="command") when this runner could never run `command`."""
        ...

    async def run(self, request: RunRequest) -> RunResult:
        """Execute and say how it ended.

        Raises only CancelledError (after everything it started is gone), and ResourceShortage
        when the gateway lacks what a start takes; a failure of the work is a RunResult with status
        ERROR.
        """
        ...

    async def close(self) -> None:
        """Free what is held between runs; called once at shutdown."""
        ...


def check_command(command: str) -> None:
    """Raise InvalidInput when no runner could run `command`: empty, too long, not text."""
    if not command.strip():
        raise InvalidInput("expected something to run, got an empty command", field="command")
    if "\x00" in command:
        raise InvalidInput("expected text, got a NUL character in the command", field="command")
    try:
        size = len(command.encode())
    except UnicodeEncodeError:
        raise InvalidInput(
            "expected text, got half of a surrogate pair in the command", field="command"
        ) from None
    if size > COMMAND_BYTES:
        raise InvalidInput(
            f"expected a command of at most {COMMAND_BYTES} bytes, got {size}", field="command"
        )


ENTRY_POINT_GROUP = "universal_agent.runners"


def load_runners(settings: Settings) -> dict[str, Runner]:
    """Every installed runner by name.

    Raises StartupError naming the plug-in that cannot be loaded, or SettingsError from one that
    does not accept its settings: jobs must not find out one by one.
    """
    runners: dict[str, Runner] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            factory: Callable[[Settings], Runner] = point.load()
            runners[point.name] = factory(settings)
        except StartupError:
            raise
        except Exception as error:
            raise StartupError(
                f"cannot load the runner {point.name!r} ({point.value}): {error}"
            ) from error
    return runners


def unknown_runner(name: str, known: Mapping[str, Runner]) -> InvalidInput:
    """The error for a runner that is not installed."""
    names = ", ".join(sorted(known))
    return InvalidInput(f"expected one of {names}, got {name!r}", field="runner")
