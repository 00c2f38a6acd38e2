"""What counts as a failure: the rules that a person gives."""

from typing import Any

import pytest

from universal_agent.domain.fail_on import FailOn, check_fail_on, matches, read_fail_on
from universal_agent.errors import InvalidInput


def rules(value: Any) -> FailOn:
    found = read_fail_on(value)
    assert found is not None
    return found


def test_rules_are_read_from_lists_single_values_or_the_name_of_a_preset() -> None:
    assert rules("claude") == FailOn(preset="claude")
    assert rules({"output": "limit"}) == rules({"output": ["limit"]})
    assert rules({"exit_codes": 3}) == FailOn(exit_codes=(3,))
    assert rules({"json": {"a.b": True, "c": ["x", None]}}) == FailOn(
        json={"a.b": (True,), "c": ("x", None)}
    )


@pytest.mark.parametrize("value", [None, {}, {"preset": None}])
def test_no_rules_are_none_or_apply_to_nothing(value: Any) -> None:
    assert (read_fail_on(value) or FailOn()).record() == {}


def test_the_stored_form_is_read_back() -> None:
    full = FailOn(
        preset="codex",
        output=("a",),
        stderr=("b",),
        missing=("c",),
        exit_codes=(0, 2),
        json={"d": (1, "*")},
    )
    assert read_fail_on(full.record()) == full


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("emacs", "fail_on.preset"),
        ({"preset": 1}, "fail_on.preset"),
        ([], "fail_on"),
        (7, "fail_on"),
        ({"outputs": "x"}, "fail_on"),
        ({"output": ""}, "fail_on.output"),
        ({"output": "**"}, "fail_on.output"),
        ({"output": []}, "fail_on.output"),
        ({"output": [1]}, "fail_on.output"),
        ({"output": {"a": 1}}, "fail_on.output"),
        ({"output": ["x"] * 21}, "fail_on.output"),
        ({"missing": "x" * 201}, "fail_on.missing"),
        ({"stderr": "a\nb"}, "fail_on.stderr"),
        ({"exit_codes": []}, "fail_on.exit_codes"),
        ({"exit_codes": [256]}, "fail_on.exit_codes"),
        ({"exit_codes": [-9]}, "fail_on.exit_codes"),
        ({"exit_codes": [True]}, "fail_on.exit_codes"),
        ({"exit_codes": "12"}, "fail_on.exit_codes"),
        ({"json": {}}, "fail_on.json"),
        ({"json": []}, "fail_on.json"),
        ({"json": {"a..b": 1}}, "fail_on.json"),
        ({"json": {"": 1}}, "fail_on.json"),
        ({"json": {"a": []}}, "fail_on.json.a"),
        ({"json": {"a": {"b": 1}}}, "fail_on.json.a"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(value: Any, field: str) -> None:
    with pytest.raises(InvalidInput, match="expected") as refused:
        read_fail_on(value)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("runner", "value", "fine"),
    [
        ("agent", {"preset": "claude", "stderr": "x", "exit_codes": 1, "json": {"a": 1}}, True),
        ("shell", {"output": "x", "missing": "y", "exit_codes": 1, "json": {"a": 1}}, True),
        ("http", {"output": "x", "json": {"ok": False}}, True),
        ("shell", {"preset": "claude"}, False),
        ("shell", {"stderr": "x"}, False),
        ("http", {"exit_codes": 1}, False),
        ("queue", {"stderr": "x"}, False),
    ],
)
def test_rules_that_never_apply_to_a_runner_are_refused(
    runner: str, value: Any, fine: bool
) -> None:
    if fine:
        check_fail_on(rules(value), runner)
    else:
        with pytest.raises(InvalidInput, match=f"for the runner {runner}"):
            check_fail_on(rules(value), runner)


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        ("limit reached", "5-hour Limit Reached · resets 3am", True),
        ("error:*refused", "x error: connection to y refused!", True),
        ("a*b*c", "c b a", False),
        ("aba*ba", "ababa", True),
        ("aba*aba", "ababa", False),
        ("*", "anything", True),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_is_plain_text_with_gaps(pattern: str, line: str, found: bool) -> None:
    assert matches(pattern, line) is found


def test_no_pattern_takes_long_for_any_line() -> None:
    assert not matches("a*" * 99 + "b", "a" * 16_384)
