"""Idempotency-Keys: what a request made or was answered, kept for a day."""

from datetime import datetime, timedelta

from universal_agent.errors import Conflict
from universal_agent.store.tx import Tx
from universal_agent.store.values import Once

#: How long an Idempotency-Key is remembered.
_KEPT = timedelta(days=1)


def recall(tx: Tx, once: Once | None, resource: str, *, now: datetime) -> str | None:
    """What `once` made before; None after recording that it makes `resource` now.

    Raises Conflict when the key was used for another request.
    """
    if once is None:
        return None
    tx.run("forget_once", before=(now - _KEPT).timestamp())
    if tx.run(
        "remember_once",
        key=once.key,
        fingerprint=once.fingerprint,
        resource=resource,
        now=now.timestamp(),
    ):
        return None
    return answer_of(tx, once)


def answer_of(tx: Tx, once: Once) -> str | None:
    """What was answered to the request that `once` names, or None. Raises Conflict when the
    key is another request's.
    """
    row = tx.one("recall_once", key=once.key)
    if row is None:
        return None
    fingerprint, made = row
    if fingerprint != once.fingerprint:
        raise Conflict(
            "This Idempotency-Key was used for another request; a new request needs a new key.",
            field="Idempotency-Key",
        )
    return str(made)


def keep_answer(tx: Tx, once: Once, answer: str, *, now: datetime) -> None:
    """Keep the answer to a request for a day; the first answer stays."""
    recall(tx, once, answer, now=now)
