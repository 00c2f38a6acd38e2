"""What does a HEARTBEAT.md say, and what in it does not say what it seems to?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.checklist import Check, Checklist, Finding, read_checklist


def checklist(text: str) -> Checklist:
    found = read_checklist(text)
    assert found.findings == ()
    return found


def test_checks_agent_items_and_what_is_inactive_are_told_apart() -> None:
    text = """# Every half hour

<!-- how full is too full?
- [ ] old: `rm -rf /`
-->
- [ ] disk: `df -h / | grep -v 100%`
- [x] done: `false`
- [X] done too: `false`
- [ ]
- []
1. [ ] **load**: `uptime`
- Look for unread mail.
* [ ] Read the `git log` of today

Keep it short.
***
"""
    found = read_checklist(text)
    assert found.checks == (
        Check("disk", "df -h / | grep -v 100%", 6),
        Check("load", "uptime", 11),
    )
    assert found.agent_lines == (12, 13, 15)
    assert not found.is_empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n  \n",
        "# Heartbeat\n\n## Daily\n",
        "- [ ]\n- [ ]   \n* [ ]\n1. [ ]\n-\n",
        "<!-- - [ ] disk: `df` -->",
        "<!--\nLook at the mail.\n-->\n# Title",
        "<!-- never closed\nLook at the mail.",
        "- [x] disk: `df`\n---\n",
        "Title\n=====\n<!-- a -->"[5:],
        "\ufeff# Title\r\n\r\n- [ ]\r\n",
        "```markdown\n# Keep this file empty to skip heartbeats.\n\n<!-- a -->\n```\n",
        "~~~sh\n#comment\n// comment\n~~~",
        "---\ntitle: Heartbeat\nread_when:\n  - starting\n- x\n\n# c\n---\n",
        "---\r\ntitle: Heartbeat\r\n---\r\n",
        "---\ntitle: Heartbeat\n...",
        "# Heartbeat\n- [Configuration](/docs/heartbeat)\n[a (b)](https://example.org/a_(b)).\n",
        "![logo](logo.png)\n[home]: https://example.org/\n>\n",
        "---\ntitle: x\n---\n# Tasks\n\n```md\n# none\n```\n## Related\n\n- [Docs](/docs)\n",
    ],
)
def test_pitfall_23_a_checklist_of_headings_comments_and_empty_boxes_is_empty(text: str) -> None:
    assert read_checklist(text).is_empty


@pytest.mark.parametrize(
    "text",
    [
        "Look at the mail.",
        "- mail",
        "- [ ] mail",
        "```\ncode\n```",
        "- [ ] `true`",
        "#tag",
        "- read [the runbook](/run)",
        "- [ ] [the runbook](/run)",
        "- https://example.org/",
        "---\n- mail\n---\n",
        "---\ntitle: x\n",
        "---\ntitle: x\n---\nmail",
        "x\n---\ntitle: x\n---\n",
        "---\nlook at the mail\n---\n",
    ],
)
def test_a_checklist_with_anything_active_is_not_empty(text: str) -> None:
    assert not read_checklist(text).is_empty


def test_code_with_backticks_in_it_is_quoted_by_more_of_them() -> None:
    (check,) = checklist("- [ ] inner: ``echo `date` ``").checks
    assert check.command == "echo `date`"


def test_what_stands_in_a_code_block_is_never_a_check() -> None:
    found = checklist("~~~\n- [ ] disk: `rm -rf /`\n```\n~~~\n- [ ] real: `true`\n")
    assert found.checks == (Check("real", "true", 5),)
    assert found.agent_lines == (2, 3)


def test_a_check_without_a_name_goes_by_its_command() -> None:
    assert read_checklist("- [ ] `uptime -p`").checks == (Check("uptime -p", "uptime -p", 1),)


def test_a_url_in_front_of_the_command_does_not_end_the_name() -> None:
    (check,) = checklist("- [ ] site https://example.org/: `curl -f x`").checks
    assert check.name == "site https://example.org/"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\n- disk: `df -h`", 2, "only an item with a check box"),
        ("- [ ] disk: `df -h` below 90%", 1, "and nothing more; this is for an agent"),
        ("- [ ] disk: `df -h", 1, "not closed by a backtick"),
        ("- [ ] disk: ` `", 1, "no command between the backticks"),
        ("- [ ] `df`", 1, "a name ahead of the command"),
        ("- [ ] a: `x`\n- [ ] a: `y`", 2, "line 1 has the same name, 'a'"),
        ("x\n<!-- open", 2, "this comment is never closed"),
        ("```\n- [ ] a: `b`", 1, "this code block is never closed"),
        ("- [ x] disk: `df`", 1, "a check box is `[ ]`"),
        ("- [ ]disk: `df`", 1, "a check box is `[ ]`"),
        ("---\na: b\n---\n- [Docs](/docs)", 4, "a link alone asks for nothing"),
    ],
)
def test_lint_says_by_line_what_will_not_do_what_it_seems_to(
    text: str, line: int, words: str
) -> None:
    (finding,) = read_checklist(text).findings
    assert finding.line == line
    assert words in finding.sentence


def test_findings_come_in_the_order_of_their_lines() -> None:
    text = "- [ ] a: `x`\n- [ ] a: `y`\n- [ ] `z`\n<!-- open"
    assert [finding.line for finding in read_checklist(text).findings] == [2, 3, 4]
    assert all(isinstance(finding, Finding) for finding in read_checklist(text).findings)


lines = st.sampled_from(
    ["# h", "- [ ] a: `b`", "- [x] a: `b`", "- [ ]", "text", "```", "~~~", "<!--", "-->", "", "- x"]
) | st.text(max_size=20)


@given(st.lists(lines, max_size=12))
def test_any_text_is_a_checklist_whose_lines_exist(text: list[str]) -> None:
    whole = "\n".join(text)
    found = read_checklist(whole)
    last = whole.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    places = [check.line for check in found.checks]
    places += [*found.agent_lines, *(finding.line for finding in found.findings)]
    assert all(1 <= line <= last for line in places)
    assert all(check.command.strip() == check.command != "" for check in found.checks)


@pytest.mark.parametrize(
    "part", ["`", "<!--", "- [ ] a: `", "``x", "~~~\n", "* * ", "[ ]", "---\na: b\n", "[](("]
)
def test_a_file_of_nothing_but_one_mark_is_read_in_no_time(part: str) -> None:
    read_checklist(part * (32 * 1024 // len(part)))
    read_checklist("- [ ] " + part * (32 * 1024 // len(part)))
    read_checklist("---\na:\n" + part * (32 * 1024 // len(part)))
