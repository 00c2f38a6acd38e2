"""Sessions are kept until they are deleted, and a turn is admitted once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.store.making import NOON, PROCESS, SECOND, run_id
from universal_agent.domain.event_types import (
    EventType,
)
from universal_agent.domain.job import JobSpec
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import make_once
from universal_agent.domain.session import Admitted, Session
from universal_agent.errors import Conflict, SessionNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Finished, Once


def a_session(session_id: str = "ses_a", **fields: Any) -> Session:
    given: dict[str, Any] = {"user_id": "ada", "workspace_dir": session_id} | fields
    return Session(session_id=session_id, created_at=NOON, last_active_at=NOON, **given)


def said(text: str = "hello") -> JobSpec:
    return JobSpec(
        command=text, runner="agent", schedule=make_once(NOON), metadata={"session_id": "ses_a"}
    )


def once(key: str, fingerprint: str = "hello") -> Once:
    return Once(key=key, fingerprint=fingerprint)


async def end_what_runs(store: Store) -> None:
    claimed = (
        await store.write(verbs.execution.claim, free_workers=9, process=PROCESS, now=NOON)
    ).claimed
    ended = [
        Finished(claimed=item, status=RunStatus.SUCCESS, started_at=NOON, finished_at=NOON)
        for item in claimed
    ]
    await store.write(verbs.execution.settle, ended, free_workers=0, process=PROCESS, now=NOON)


class TestKeeping:
    async def test_a_session_is_found_as_it_was_made(self, store: Store) -> None:
        session = replace(a_session(), source="cli", metadata={"theme": "dark"})
        await store.write(verbs.sessions.create_session, session, now=NOON)
        assert await store.read(verbs.sessions.get_session, "ses_a") == session
        assert await store.read(verbs.sessions.count_sessions) == 1

    async def test_sessions_are_listed_by_pages_in_the_order_of_their_ids(
        self, store: Store
    ) -> None:
        for name in ("ses_b", "ses_c", "ses_a"):
            await store.write(verbs.sessions.create_session, a_session(name), now=NOON)
        first = await store.read(verbs.sessions.list_sessions, limit=2)
        rest = await store.read(verbs.sessions.list_sessions, limit=2, cursor=first[-1].session_id)
        assert [s.session_id for s in (*first, *rest)] == ["ses_a", "ses_b", "ses_c"]

    async def test_a_deleted_session_is_gone_and_its_id_is_not_used_again(
        self, store: Store
    ) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        await store.write(verbs.sessions.delete_session, "ses_a", by="operator", now=NOON)
        assert await store.read(verbs.sessions.get_session, "ses_a") is None
        assert (
            await store.read(verbs.sessions.list_sessions, limit=9),
            await store.read(verbs.sessions.count_sessions),
        ) == ([], 0)
        with pytest.raises(SessionNotFound):
            await store.write(verbs.sessions.delete_session, "ses_a", by="operator", now=NOON)
        with pytest.raises(Conflict, match="before"):
            await store.write(verbs.sessions.create_session, a_session(), now=NOON)

    async def test_a_workspace_has_one_session_and_it_is_its_owners(self, store: Store) -> None:
        first = await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        again = await store.write(
            verbs.sessions.create_session, a_session("ses_b", workspace_dir="ses_a"), now=NOON
        )
        assert again.session_id == first.session_id
        with pytest.raises(Conflict, match="another session"):
            await store.write(
                verbs.sessions.create_session,
                a_session("ses_c", workspace_dir="ses_a", user_id="eve"),
                now=NOON,
            )

    async def test_making_and_deleting_are_in_the_log(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        await store.write(verbs.sessions.delete_session, "ses_a", by="operator", now=NOON)
        events = await store.read_events(after_seq=0, limit=9)
        assert [event.type for event in events] == [
            EventType.SESSION_CREATED,
            EventType.SESSION_DELETED,
        ]
        assert {event.session_id for event in events} == {"ses_a"}


class TestTurns:
    async def test_a_turn_is_queued_and_makes_its_session_busy(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        turn = await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=None
        )
        assert (turn.admitted, turn.run.status) == (Admitted.NEW, RunStatus.QUEUED)
        session = await store.read(verbs.sessions.get_session, "ses_a")
        assert session is not None and session.busy
        assert [run.run_id for run in await store.read(verbs.sessions.open_runs, "ses_a")] == [
            turn.run.run_id
        ]
        assert await store.read(verbs.sessions.busy_sessions) == ["ses_a"]
        await end_what_runs(store)
        assert await store.read(verbs.sessions.busy_sessions) == []

    async def test_a_claimed_turn_has_what_was_said(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said("how are you"), now=NOON, once=None
        )
        (claimed,) = (
            await store.write(verbs.execution.claim, free_workers=1, process=PROCESS, now=NOON)
        ).claimed
        assert (claimed.spec.command, claimed.spec.runner) == ("how are you", "agent")

    async def test_another_turn_is_refused_while_one_is_open(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        first = await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said("one"), now=NOON, once=None
        )
        second = await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said("two"), now=NOON, once=once("k")
        )
        assert (second.admitted, second.run.run_id) == (Admitted.BUSY, first.run.run_id)
        await end_what_runs(store)
        # What was refused has not used up its key.
        third = await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said("two"), now=NOON, once=once("k")
        )
        assert third.admitted is Admitted.NEW

    async def test_the_same_key_is_one_turn_while_it_runs_and_after(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        turns = [
            await store.write(
                verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=once("k")
            )
        ]
        turns += [
            await store.write(
                verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=once("k")
            )
        ]
        await end_what_runs(store)
        turns += [
            await store.write(
                verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=once("k")
            )
        ]
        assert [turn.admitted for turn in turns] == [
            Admitted.NEW,
            Admitted.DUPLICATE_IN_PROGRESS,
            Admitted.DUPLICATE_COMPLETED,
        ]
        assert len({turn.run.run_id for turn in turns}) == 1

    async def test_of_many_at_once_one_is_admitted(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        turns = await asyncio.gather(
            *(
                store.write(
                    verbs.sessions.add_turn,
                    "ses_a",
                    run_id(),
                    said(f"n {n}"),
                    now=NOON,
                    once=once(f"{n}"),
                )
                for n in range(20)
            )
        )
        assert sorted(turn.admitted for turn in turns) == [Admitted.BUSY] * 19 + [Admitted.NEW]

    async def test_the_same_words_are_the_same_turn_for_a_moment(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        await store.write(verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=None)
        await end_what_runs(store)
        soon = await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON + SECOND, once=None
        )
        assert soon.admitted is Admitted.DUPLICATE_COMPLETED
        later = await store.write(
            verbs.sessions.add_turn,
            "ses_a",
            run_id(),
            said(),
            now=NOON + timedelta(minutes=1),
            once=None,
        )
        assert later.admitted is Admitted.NEW

    async def test_nothing_is_said_to_a_session_that_is_not_there(self, store: Store) -> None:
        with pytest.raises(SessionNotFound):
            await store.write(
                verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=None
            )

    async def test_the_end_of_a_turn_is_untold_until_a_client_was_told(self, store: Store) -> None:
        await store.write(verbs.sessions.create_session, a_session(), now=NOON)
        turn = await store.write(
            verbs.sessions.add_turn, "ses_a", run_id(), said(), now=NOON, once=None
        )
        assert await store.read(verbs.sessions.untold_turn, "ses_a") is None
        await end_what_runs(store)
        untold = await store.read(verbs.sessions.untold_turn, "ses_a")
        assert untold is not None and untold.run_id == turn.run.run_id
        await store.write(verbs.sessions.turn_told, "ses_a", untold.run_id)
        assert await store.read(verbs.sessions.untold_turn, "ses_a") is None
