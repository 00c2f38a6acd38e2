"""A job as a person describes it: the fields of a request, with their types and bounds.

HTTP, the command line and change requests all make a `JobDraft`: it is the one place where the
type, the bounds and the messages of a field stand. `domain/draft.py` makes a spec of it, and checks
what depends on the present job, on the time or on settings.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import core_schema

from universal_agent.domain.complaints import complaints_of
from universal_agent.domain.job import Priority
from universal_agent.domain.text_rules import check_json, check_line, check_text
from universal_agent.errors import InvalidInput

MAX_COMMAND_BYTES = 64 * 1024
MAX_METADATA_BYTES = 16 * 1024

_LONGEST_SECONDS = 366 * 86_400
_MOST_WAITS = 20


class Between:
    """For `Annotated`: a number from `least` to `most`. Raises InvalidInput for any other."""

    def __init__(self, least: int, most: int) -> None:
        self.least = least
        self.most = most

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "minimum": self.least, "maximum": self.most}

    def _check(self, value: int, info: ValidationInfo) -> int:
        if not self.least <= value <= self.most:
            raise InvalidInput(
                f"expected {self.least} to {self.most}, got {value}", field=info.field_name
            )
        return value


def _checked_line(value: str, info: ValidationInfo) -> str:
    check_line(value, str(info.field_name))
    return value


def _checked_command(value: str) -> str:
    if not value.strip():
        raise InvalidInput("expected a command, got nothing", field="command")
    size = len(with_unix_lines(value).encode("utf-8", "surrogatepass"))
    if size > MAX_COMMAND_BYTES:
        raise InvalidInput(
            f"expected at most {MAX_COMMAND_BYTES} bytes, got {size}", field="command"
        )
    check_text(value, "command")
    return value


def _checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    check_json(metadata, "metadata", MAX_METADATA_BYTES)
    title = metadata.get("title")
    if isinstance(title, str):
        check_line(title, "metadata.title")
    priority = metadata.get("priority")
    if priority is not None and priority not in tuple(Priority):
        raise InvalidInput(
            f"expected priority to be one of {', '.join(Priority)}, got {priority!r}",
            field="metadata.priority",
        )
    return metadata


def _checked_waits(waits: Sequence[int]) -> Sequence[int]:
    if not 1 <= len(waits) <= _MOST_WAITS or any(
        not 1 <= wait <= _LONGEST_SECONDS for wait in waits
    ):
        raise InvalidInput(
            f"expected 1 to {_MOST_WAITS} waits of 1 to {_LONGEST_SECONDS} s, got "
            f"{list(waits[: _MOST_WAITS + 1])}",
            field="retry_backoff",
        )
    return waits


Command = Annotated[
    str, AfterValidator(_checked_command), Field(json_schema_extra={"minLength": 1})
]
Waits = Annotated[
    Sequence[int],
    AfterValidator(_checked_waits),
    Field(json_schema_extra={"minItems": 1, "maxItems": _MOST_WAITS}),
]
Line = Annotated[str, AfterValidator(_checked_line)]
Seconds = Annotated[int, Between(1, _LONGEST_SECONDS)]


class JobDraft(BaseModel):
    """Everything a person may set. A kind of schedule excludes the others.

    A field that is not given stays as it is; null clears a text, and takes a policy back to its
    default.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    command: Command | None = Field(
        default=None,
        description="What to run: a shell line, a prompt or a URL, as the runner has it.",
        examples=["date >> out.txt"],
    )
    every: str | int | float | None = Field(
        default=None, description="An interval, or its whole seconds.", examples=["30m", 90]
    )
    cron_expr: str | None = Field(
        default=None, description="5 fields, 6 with seconds, or @daily.", examples=["0 9 * * 1-5"]
    )
    run_at: str | int | float | None = Field(
        default=None,
        description="Once: epoch seconds, ISO 8601, or words.",
        examples=["tomorrow 9:15am", 1767225600],
    )
    schedule: str | None = Field(
        default=None,
        description="Any kind of schedule in words.",
        examples=["every weekday at 9am"],
    )
    timezone: str | None = Field(default=None, examples=["Europe/Berlin"])
    title: Line | None = None
    user_id: str | None = None
    workspace_dir: str | None = Field(
        default=None, description="A folder under the workspaces folder."
    )
    runner: str | None = Field(default=None, examples=["shell", "agent", "http"])
    model: Line | None = None
    enabled: bool | None = None
    off_label: Literal["paused", "disabled"] | None = None
    delete_after_run: bool | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_checked_metadata)] | None = None
    overlap: Literal["skip", "queue_one", "allow", "cancel_previous"] | None = None
    on_miss: Literal["ask", "run_latest", "run_all", "skip"] | None = Field(
        default=None,
        description="What becomes of missed slots; null: what follows from the cadence.",
    )
    side_effects: bool | None = Field(
        default=None, description="Whether a late run may do harm: its missed slots wait."
    )
    misfire_grace_seconds: Annotated[int, Between(0, _LONGEST_SECONDS)] | None = None
    useful_for_seconds: Seconds | None = None
    timeout_seconds: Annotated[int, Between(1, 7 * 86_400)] | None = None
    idle_timeout_seconds: Annotated[int, Between(1, 7 * 86_400)] | None = Field(
        default=None,
        description="A run that gives no sign of life for this long is stopped; null: never.",
    )
    retries: Annotated[int, Between(0, 100)] | None = None
    retry_backoff: Waits | None = None
    jitter_seconds: Annotated[int, Between(0, 86_400)] | None = None
    queue_limit_seconds: Seconds | None = None
    auto_pause_after: Annotated[int, Between(0, 1_000_000)] | None = None
    retry_interrupted: bool | Annotated[int, Between(0, 10)] | None = Field(
        default=None,
        description="How often a slot whose run was cut off is run again; true: twice.",
        examples=[True, 5],
    )
    fail_on: str | dict[str, Any] | None = Field(
        default=None,
        description="What counts as a failure: rules, or the name of an agent program.",
        examples=[{"output": ["limit reached"], "missing": ["done"]}, "claude"],
    )
    resources: list[str] | None = Field(
        default=None,
        description="The services that its runs use, by any name; null: by its runner and command.",
        examples=[["https://api.example.com"], ["claude", "github"]],
    )
    pool: str | None = Field(
        default=None,
        description="The pool that bounds how many of its runs are in execution; null: none.",
        examples=["browser"],
    )
    light: bool | None = Field(
        default=None,
        description="Whether its runs are short enough for the workers in reserve.",
    )

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The draft of these fields. Raises InvalidInput that names the first invalid one."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            field, expected = next(iter(complaints_of(error.errors(), place="body").items()))
            raise InvalidInput(expected, field=field) from None

    def fields(self) -> dict[str, Any]:
        """The fields that were given, as JSON."""
        return self.model_dump(exclude_unset=True)

    def is_given(self, name: str) -> bool:
        """Whether a field was given, if only as null."""
        return name in self.model_fields_set


#: The edits that switch a job off and on again. The first two differ only in how they are shown.
PAUSED = JobDraft(enabled=False, off_label="paused")
DISABLED = JobDraft(enabled=False, off_label="disabled")
RESUMED = JobDraft(enabled=True)


def with_unix_lines(command: str) -> str:
    """The command with LF where it has CR LF or CR: a shell takes a CR as part of the line."""
    return command.replace("\r\n", "\n").replace("\r", "\n")
