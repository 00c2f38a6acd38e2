"""Turns that wait or run in this process, and what they have said so far.

The executor writes what a turn says here as it comes, and the session's clients read it from the
hub. Text is not in the event log: it is kept until the turn's end is delivered.
"""

from dataclasses import dataclass

from universal_agent.domain.run import Run, RunId
from universal_agent.engine.hub import Hub
from universal_agent.runners.output import ReplyListener, plain_text

#: How much of a reply a client that attaches later is given.
REPLY_CHARS = 256 * 1024


@dataclass(slots=True)
class LiveTurn:
    """A turn that waits or runs."""

    run_id: RunId
    session_id: str
    client_turn_id: str | None = None
    #: What it has said so far.
    text: str = ""


class LiveTurns:
    """The turns whose end has not been told yet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._turns: dict[RunId, LiveTurn] = {}
        #: The turn that is under way, by session.
        self._under_way: dict[str, RunId] = {}

    def __contains__(self, run_id: RunId) -> bool:
        return run_id in self._turns

    def run_ids(self) -> list[RunId]:
        return list(self._turns)

    def expect(self, turn: LiveTurn) -> None:
        """Keep a turn that is about to be committed: it may start and end before the caller goes
        on.
        """
        self._turns[turn.run_id] = turn

    def admitted(self, run_id: RunId) -> None:
        """The expected turn was committed, and is its session's turn unless it has ended."""
        if (turn := self._turns.get(run_id)) is not None:
            self._under_way[turn.session_id] = run_id

    def drop(self, run_id: RunId) -> LiveTurn | None:
        """Forget a turn and return it; None if it was neither asked for nor started here."""
        turn = self._turns.pop(run_id, None)
        if turn is not None and self._under_way.get(turn.session_id) == run_id:
            del self._under_way[turn.session_id]
        return turn

    def of_session(self, session_id: str) -> LiveTurn | None:
        """The session's turn that is under way; None if there is none."""
        run_id = self._under_way.get(session_id)
        return None if run_id is None else self._turns.get(run_id)

    def listen(self, run: Run) -> ReplyListener:
        """Begin to pass on what a turn says to its session's clients."""
        turn = self._turns.setdefault(run.run_id, LiveTurn(run.run_id, run.source_ref))
        self._under_way[turn.session_id] = run.run_id
        self._hub.publish(
            turn.session_id,
            "status",
            {"status": "running", "run_id": turn.run_id, "client_turn_id": turn.client_turn_id},
        )

        def pass_on(text: str) -> None:
            said = plain_text(text)
            turn.text = (turn.text + said)[-REPLY_CHARS:]
            self._hub.publish(turn.session_id, "text", {"run_id": turn.run_id, "text": said})

        def restart() -> None:
            turn.text = ""
            message = {"run_id": turn.run_id, "text": "", "restart": True}
            self._hub.publish(turn.session_id, "text", message)

        return ReplyListener(pass_on, restart)
