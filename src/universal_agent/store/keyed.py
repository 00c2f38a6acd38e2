"""Rows that are written in the transaction of another effect.

A request's answer under its Idempotency-Key, and the decision that a change was made for, must
stand or fall with the change. The commands in between know nothing of either, so both travel in a
context variable: the next write of this task whose result is of the expected type takes them along.
A verb that loses a race returns None, which is of no expected type.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from universal_agent.domain.proposal import Proposal, ProposalStatus
from universal_agent.errors import AlreadyResolved
from universal_agent.store.effects import Effect
from universal_agent.store.tx import Tx
from universal_agent.store.values import Once
from universal_agent.store.verbs.idempotency import recall
from universal_agent.store.verbs.proposals import decide_proposal


class Companion:
    """Something to write in the transaction of an effect."""

    def __init__(self, of: tuple[type[Any], ...], put: Callable[[Tx, Any], None]) -> None:
        self._of = of
        self._put = put
        self._open = True
        #: Whether it is committed.
        self.is_written = False

    def goes_with(self, result: object) -> bool:
        """Whether it is written with a verb that returned this."""
        return self._open and isinstance(result, self._of)

    def put(self, tx: Tx, result: object) -> None:
        """Write it."""
        self._put(tx, result)

    def written(self) -> None:
        """Record that its transaction is committed."""
        self.is_written = True
        self._open = False

    def close(self) -> None:
        """Keep a task that inherited the variable from writing it later."""
        self._open = False


_COMPANIONS: ContextVar[tuple[Companion, ...]] = ContextVar("companions", default=())


def companions() -> Sequence[Companion]:
    """The companions of this task's next fitting write."""
    return _COMPANIONS.get()


@contextmanager
def accompanied(companion: Companion) -> Iterator[None]:
    """Write the companion with the next fitting write of this task."""
    token = _COMPANIONS.set((*_COMPANIONS.get(), companion))
    try:
        yield
    finally:
        _COMPANIONS.reset(token)
        companion.close()


def made_under(once: Once, *, now: datetime) -> Companion:
    """Keeps the id of the run that an Effect has under the key."""

    def put(tx: Tx, result: Any) -> None:
        recall(tx, once, result.value.run_id, now=now)

    return Companion((Effect,), put)


def deciding(
    proposal: Proposal,
    status: ProposalStatus,
    *,
    of: tuple[type[object], ...],
    by: str,
    now: datetime,
) -> Companion:
    """Decides a pending proposal in the transaction of the change, whose result is one of `of`.

    That transaction raises AlreadyResolved when the proposal is no longer pending.
    """

    def put(tx: Tx, _: object) -> None:
        if not decide_proposal(
            tx,
            proposal.proposal_id,
            expected=ProposalStatus.PENDING,
            status=status,
            by=by,
            now=now,
        ):
            raise AlreadyResolved("Somebody else has decided the proposal at this moment.")

    return Companion(of, put)


class AnswerInEffect:
    """An answer that is kept in the transaction of the effect that it describes."""

    def __init__(
        self,
        once: Once,
        of: tuple[type[Any], ...],
        render: Callable[[Any], bytes],
        *,
        now: datetime,
    ) -> None:
        self._once = once
        self._render = render
        self._now = now
        self._answer = b""
        self.companion = Companion(of, self._put)

    @property
    def kept(self) -> bytes | None:
        """The answer, once it is committed with its effect."""
        return self._answer if self.companion.is_written else None

    def _put(self, tx: Tx, result: object) -> None:
        self._answer = self._render(result)
        recall(tx, self._once, self._answer.decode(), now=self._now)
