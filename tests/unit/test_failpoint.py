"""A failpoint kills this process at the pass it was set for, and at no other."""

import os
import signal
from collections.abc import Iterator

import pytest

from universal_agent import failpoint
from universal_agent.errors import SettingsError
from universal_agent.failpoint import Failpoint, passing


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """What would have been sent to whom."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    yield sent
    failpoint.arm("")


def test_nothing_happens_while_none_is_set(signals: list[tuple[int, int]]) -> None:
    failpoint.arm("")
    for point in Failpoint:
        passing(point)
    assert signals == []


def test_it_kills_at_the_pass_that_was_named(signals: list[tuple[int, int]]) -> None:
    failpoint.arm("after_spawn:3")
    sent = []
    for _ in range(4):
        passing(Failpoint.BEFORE_SPAWN)
        passing(Failpoint.AFTER_SPAWN)
        sent.append(len(signals))
    assert sent == [0, 0, 1, 1]
    assert signals == [(os.getpid(), signal.SIGKILL)]


def test_without_a_number_it_kills_at_the_first_pass(signals: list[tuple[int, int]]) -> None:
    failpoint.arm("before_admit_commit")
    passing(Failpoint.BEFORE_ADMIT_COMMIT)
    assert len(signals) == 1


@pytest.mark.parametrize("setting", ["sometimes", "after_spawn:0", "after_spawn:-1", ":2", "x:1"])
def test_what_is_not_a_point_stops_the_start(setting: str) -> None:
    with pytest.raises(SettingsError, match="UA_FAILPOINT"):
        failpoint.arm(setting)
