"""Which failures have one cause."""

import pytest

from universal_agent.domain.causes import cause_key, resource_of, signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "exit code 7; last line: connect to 10.0.0.1:5432 failed: no answer (pid 4711)",
            "exit code 7; last line: connect to 10.0.0.1:5432 failed: no answer (pid 99)",
        ),
        (
            "ConnectError from 127.0.0.1:54321 to db.internal:5432",
            "ConnectError from 127.0.0.1:60001 to db.internal:5432",
        ),
        (
            "exit code 1; last line: 2026-11-24T12:00:01Z job 17: no space in /srv/jobs/a/out",
            "exit code 1; last line: 2026-11-25T03:10:59Z job 3: no space in /srv/jobs/b/out",
        ),
        (
            "HTTP 503 from api.example.org (request req_a81bc93d)",
            "HTTP 503 from api.example.org (request req_00ff12aa)",
        ),
        (
            "GET https://api.example.org/v1/users/17?page=3 failed",
            "GET https://api.example.org/v1/orders/9 failed",
        ),
        (
            "lost 6f1c2a34-1111-2222-3333-444455556666 at 12:31:07",
            "lost 00000000-aaaa-bbbb-cccc-dddddddddddd at 03:00",
        ),
    ],
)
def test_numbers_ids_times_and_paths_make_no_difference(one: str, other: str) -> None:
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTP 503 from api.example.org", "HTTP 404 from api.example.org"),
        ("HTTP 503 from api.example.org", "HTTP 503 from hooks.example.org"),
        ("connection refused by 10.0.0.1", "connection refused by 10.0.0.2"),
        ("connection refused by 10.0.0.1:80", "connection refused by 10.0.0.1:5432"),
        ("exit code 1; last line: no", "exit code 2; last line: no"),
        ("disk full", "permission denied"),
    ],
)
def test_hosts_ports_and_codes_tell_causes_apart(one: str, other: str) -> None:
    assert signature(one) != signature(other)


def test_an_end_without_a_reason_is_a_cause_together_with_the_program() -> None:
    keys = {cause_key("exit code 1", resource_of(c, "shell")) for c in ("./a.sh 1", "./a.sh 2")}
    assert len(keys) == 1
    assert cause_key("exit code 1", resource_of("./b.sh", "shell")) not in keys


def test_a_reason_is_one_cause_whatever_the_program() -> None:
    error = "exit code 7; last line: connection refused by 10.0.0.1"
    assert cause_key(error, "shell:./a.sh") == cause_key(error, "shell:./b.sh")


@pytest.mark.parametrize(
    ("command", "runner", "resource"),
    [
        ("./backup.sh /srv", "shell", "shell:./backup.sh"),
        ("'unclosed", "shell", "shell:'unclosed"),
        ("", "shell", "shell:"),
        ("https://user:pw@Hooks.example.org:8443/x?y", "http", "http:hooks.example.org:8443"),
        ("Summarise my inbox", "agent", "agent"),
    ],
)
def test_a_job_uses_its_program_its_host_or_its_runner(
    command: str, runner: str, resource: str
) -> None:
    assert resource_of(command, runner) == resource


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01",
        "1" * 100_000,
        "/" * 100_000,
        "a/" * 50_000,
        "1." * 50_000,
        "a1" * 50_000,
        "::" * 50_000,
    ],
)
def test_any_text_has_a_signature_in_time_that_grows_with_its_length(text: str) -> None:
    assert isinstance(signature(text), str)
