"""What every runner promises: which commands it takes, how it is found, what stands in for it."""

import asyncio
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from universal_agent.domain.run import RunStatus
from universal_agent.errors import InvalidInput, SettingsError, StartupError
from universal_agent.runners import base
from universal_agent.runners.base import COMMAND_BYTES, RunRequest, check_command, load_runners
from universal_agent.runners.mock import mocked
from universal_agent.runners.output import RunOutput
from universal_agent.runners.time_limit import time_limit
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.mark.parametrize("command", ["x", "x" * COMMAND_BYTES, "€" * (COMMAND_BYTES // 3), "a\nb"])
def test_text_of_at_most_64_kib_is_a_command(command: str) -> None:
    check_command(command)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("echo a\x00b", "NUL"),
        ("echo \ud800", "surrogate"),
        ("x" * (COMMAND_BYTES + 1), "at most 65536 bytes, got 65537"),
        ("€" * (COMMAND_BYTES // 3 + 1), "at most 65536 bytes"),
    ],
)
def test_what_no_runner_could_run_is_refused(command: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint) as refused:
        check_command(command)
    assert refused.value.field == "command"


@pytest.mark.parametrize("command", ["", "a\x00b", "x" * (COMMAND_BYTES + 1)])
def test_every_runner_refuses_what_no_runner_could_run(command: str, settings: Settings) -> None:
    runners = load_runners(settings)
    assert set(runners) >= {"shell", "http", "agent"}
    for runner in [*runners.values(), *mocked(runners).values()]:
        with pytest.raises(InvalidInput):
            runner.check(command)


def test_a_webhook_takes_urls_only_and_a_shell_anything(settings: Settings) -> None:
    runners = load_runners(settings)
    runners["shell"].check("echo hello")
    runners["http"].check(" https://example.com/hook \n")
    for command in (
        "echo hello",
        "https://exa mple.com/",
        "http://x:y/",
        "http://10.0.0.1/",
        "http://0177.0.0.1/",
    ):
        with pytest.raises(InvalidInput) as refused:
            runners["http"].check(command)
        assert refused.value.field == "command"


def test_each_runner_goes_by_the_name_of_its_entry_point(settings: Settings) -> None:
    assert {name: runner.name for name, runner in load_runners(settings).items()} == {
        name: name for name in load_runners(settings)
    }


def test_a_plug_in_that_cannot_be_loaded_stops_the_start_by_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("fancy", "no_such_module:Runner", base.ENTRY_POINT_GROUP)
    monkeypatch.setattr(base, "entry_points", lambda **_: [broken])
    with pytest.raises(StartupError, match=r"'fancy' .no_such_module:Runner.: No module named"):
        load_runners(settings)


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"agent_base_url": "localhost:11434/v1"}, "UA_AGENT_BASE_URL"),
        ({"agent_base_url": "http://[::1"}, "UA_AGENT_BASE_URL"),
        ({"webhook_secret": "whsec_not base64"}, "UA_WEBHOOK_SECRET"),
        ({"webhook_secret": "whsec_"}, "UA_WEBHOOK_SECRET"),
        ({"webhook_allow": ("http://inside",)}, "UA_WEBHOOK_ALLOW"),
    ],
)
def test_a_setting_that_a_runner_cannot_use_stops_the_start_by_name(
    given: dict[str, Any], variable: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        load_runners(Settings(data_dir=tmp_path, **given))


def in_folder(path: Path) -> list[Path]:
    return list(path.iterdir())


async def test_a_mocked_runner_answers_without_running_anything(
    settings: Settings, tmp_path: Path, clock: ManualClock
) -> None:
    runners = mocked(load_runners(settings))
    assert {name: runner.name for name, runner in runners.items()} == {n: n for n in runners}
    for runner in runners.values():
        output = RunOutput(tmp_path / f"{runner.name}.log")
        request = RunRequest(
            run_id="run-1",
            job_id="job-1",
            event_id="cron|job-1|1",
            command="touch made",
            workspace_dir=tmp_path,
            output=output,
            scheduled_at=clock.now(),
        )
        assert (await runner.run(request)).status is RunStatus.SUCCESS
        assert output.preview == "CRON_OK"
        await runner.close()
    assert in_folder(tmp_path) == []


class TestTimeLimit:
    async def test_it_ends_a_wait_when_the_clock_has_moved_so_far(self, clock: ManualClock) -> None:
        async def wait() -> None:
            async with time_limit(clock, 5):
                await asyncio.Event().wait()

        waiting = asyncio.create_task(wait())
        await clock.advance(4.9)
        assert not waiting.done()
        await clock.advance(0.1)
        with pytest.raises(TimeoutError):
            await waiting

    async def test_it_leaves_what_ends_in_time_alone(self, clock: ManualClock) -> None:
        async with time_limit(clock, 5):
            await clock.advance(4.9)
        await clock.advance(10)

    async def test_a_cancel_from_outside_stays_a_cancel(self, clock: ManualClock) -> None:
        async def wait() -> None:
            async with time_limit(clock, 5):
                await asyncio.Event().wait()

        waiting = asyncio.create_task(wait())
        await clock.settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
