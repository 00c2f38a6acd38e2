"""Rows that are written in the transaction of somebody else's effect.

A request's answer under its Idempotency-Key, and the decision that a change was made for, must
stand or fall with the change itself. The commands in between know nothing of either, so both
travel in a context variable: the next write of this task whose result is of the expected type
takes them along. A verb that loses a race returns None, which is of no expected type.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from universal_agent.store.base import Once
from universal_agent.store.job_verbs import recall
from universal_agent.store.set_aside import SetAside
from universal_agent.store.tx import Database, Lane, Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Effect(Generic[T]):
    """What a verb returned that may return None although it had its effect."""

    value: T


class Companion:
    """Something to write in the transaction of an effect."""

    def __init__(self, of: tuple[type[Any], ...], put: Callable[[Tx, Any], None]) -> None:
        self._of = of
        self._put = put
        self._open = True
        #: Whether it is committed.
        self.is_written = False

    def goes_with(self, result: object) -> bool:
        return self._open and isinstance(result, self._of)

    def put(self, tx: Tx, result: object) -> None:
        self._put(tx, result)

    def written(self) -> None:
        """Its transaction is committed."""
        self.is_written = True
        self._open = False

    def close(self) -> None:
        """It is no longer wanted: a task that inherited the variable must not write it."""
        self._open = False


_COMPANIONS: ContextVar[tuple[Companion, ...]] = ContextVar("companions", default=())


@contextmanager
def accompanied(companion: Companion) -> Iterator[None]:
    """Have the next fitting write of this task take the companion along."""
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


class AnswerInEffect:
    """An answer that is kept in the transaction of the effect that it tells of."""

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


class AccompaniedDatabase:
    """A database whose writes take the companions of their task along."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def last_error(self) -> str | None:
        return self._database.last_error

    @property
    def set_aside(self) -> SetAside:
        return self._database.set_aside

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def read(self, fn: Callable[[Tx], T], lane: Lane = Lane.SHORT) -> T:
        return await self._database.read(fn, lane)

    async def write(self, fn: Callable[[Tx], T]) -> T:
        companions = _COMPANIONS.get()
        if not companions:
            return await self._database.write(fn)

        def together(tx: Tx) -> T:
            result = fn(tx)
            for companion in companions:
                if companion.goes_with(result):
                    companion.put(tx, result)
            return result

        result = await self._database.write(together)
        for companion in companions:
            if companion.goes_with(result):
                companion.written()
        return result
