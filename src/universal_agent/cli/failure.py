"""Errors of commands, and their exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command."""

    #: Done.
    OK = 0
    #: The answer is no: slots are unaccounted for, a run failed, a check failed.
    NO = 1
    #: The command or one of its values is invalid.
    USAGE = 2
    #: No gateway could be reached.
    UNREACHABLE = 3
    #: The gateway wants another token, or refuses this caller.
    REFUSED = 4
    #: There is no such thing, or its state forbids the command.
    CONFLICT = 5
    #: The gateway cannot do it now: switched off, at a limit, or broken.
    UNAVAILABLE = 6


#: The text for each in `ua --help`.
EXIT_CODES = {
    ExitCode.OK: "done",
    ExitCode.NO: "the answer is no: a failed run, an unaccounted slot, a failed check",
    ExitCode.USAGE: "bad usage or a bad value",
    ExitCode.UNREACHABLE: "gateway not reachable",
    ExitCode.REFUSED: "refused: the token is wrong or missing",
    ExitCode.CONFLICT: "not found, or in conflict with the present state",
    ExitCode.UNAVAILABLE: "the gateway cannot do it now: switched off, at a limit, broken",
}


class CommandFailed(Exception):
    """A command ends with one sentence on standard error and an exit code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class RequestRefused(CommandFailed):
    """The gateway answered with an error."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, _code_of(status))
        self.status = status


def _code_of(status: int) -> ExitCode:
    match status:
        case 401 | 403:
            return ExitCode.REFUSED
        case 404 | 409:
            return ExitCode.CONFLICT
        case 429:
            return ExitCode.UNAVAILABLE
        case _ if status < 500:
            return ExitCode.USAGE
        case _:
            return ExitCode.UNAVAILABLE
