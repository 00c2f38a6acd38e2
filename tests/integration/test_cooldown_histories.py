"""Random ends, outages, crashes and decisions: one outcome for each slot, one probe at a time."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.histories import FREQUENT_STEPS, History
from tests.oracle.ledger_oracle import reconcile_one_by_one
from universal_agent.domain.ledger import reconcile
from universal_agent.domain.run import RunStatus
from universal_agent.store import verbs

_STEPS = (
    *FREQUENT_STEPS,
    "finish",
    "finish",
    "finish",
    "claim",
    "crash",
    "miss_waiting",
    "drop_waiting",
    "clear_resource",
    "run_now",
    "switch",
)
numbers = st.integers(0, 2_000)
histories = st.lists(
    st.tuples(st.sampled_from(_STEPS), numbers, numbers, numbers), min_size=5, max_size=60
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_each_slot_has_one_outcome_and_a_resource_one_probe_at_a_time(
    history_of: list[tuple[str, int, int, int]],
) -> None:
    async def check(history: History) -> None:
        for _ in range(3):
            await history.create(2, 0, 0)
        for step in history_of:
            await history.step(*step)
            await assert_one_probe(history)
        await history.wait(70, 3, 0)
        store, now = history.runtime.store, history.clock.now()
        start = now - timedelta(days=60)
        facts = await store.read(verbs.ledger.ledger_facts, start=start, end=now, job_id=None)
        ledger = reconcile(facts, start=start, end=now, now=now)
        by_hand = reconcile_one_by_one(facts, start=start, end=now, now=now)
        assert ledger == by_hand
        assert ledger.unaccounted == []

    History.examine(check)


async def assert_one_probe(history: History) -> None:
    """Of the runs that started since the cooldown opened one is running, and is its probe."""
    store = history.runtime.store
    running = await store.read(
        verbs.runs.list_runs, source="cron", statuses=[RunStatus.RUNNING], limit=1000
    )
    for cooldown in await store.read(verbs.cooldowns.open_cooldowns):
        since = [
            run.run_id
            for run in running
            if run.started_at is not None and run.started_at >= cooldown.since
        ]
        assert since in ([], [cooldown.probe_run_id])
        assert cooldown.is_probing == bool(since)
