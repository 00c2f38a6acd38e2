"""Is a command a shell line or a prompt? A guess, for asking back."""

import pytest

from universal_agent.domain.shell_line import looks_like_shell


@pytest.mark.parametrize(
    "command",
    [
        "date >> dates.txt",
        "echo hi",
        "./backup.sh",
        "/usr/bin/env python3 x.py",
        "~/bin/report --all",
        "backup.sh nightly",
        "python3 -m report",
        "make -j4",
        "date",
        "PGPASSWORD=x pg_dump app",
        "mysync a b && mysync b c",
        "report | mail -s x ops",
        "curl -fsS https://example.org/",
        "#!/bin/sh\necho hi",
    ],
)
def test_a_shell_line_looks_like_one(command: str) -> None:
    assert looks_like_shell(command)


@pytest.mark.parametrize(
    "command",
    [
        "Look for mail that needs an answer today.",
        "look at the disk; then write a report",
        "find the oldest unread mail",
        "make a list of what is due",
        "test whether the site is up",
        "Say hello",
        "date of the next release?",
        "- look at mail",
        "Summarize https://example.org/ in 3 > 2 lines & be brief",
        "time to say good night",
        "who wrote the last commit?",
        "/review what changed since yesterday",
        "",
    ],
)
def test_a_prompt_does_not(command: str) -> None:
    assert not looks_like_shell(command)
