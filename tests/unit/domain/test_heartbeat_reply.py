"""Which replies are acknowledgements, and which are told?"""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from universal_agent.domain.heartbeat_reply import NO_REPLY, Verdict, judge_reply

TOKENS = ("HEARTBEAT_OK", "UA_HEARTBEAT_OK")


def verdict(text: str, ack_max_chars: int = 300) -> Verdict:
    judged = judge_reply(text, ok_tokens=TOKENS, ack_max_chars=ack_max_chars)
    assert judged is not None
    return judged


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("HEARTBEAT_OK", "HEARTBEAT_OK"),
        ("UA_HEARTBEAT_OK", "UA_HEARTBEAT_OK"),
        ("NO_REPLY", "NO_REPLY"),
        ("  \n**HEARTBEAT_OK**\n", "HEARTBEAT_OK"),
        ("_HEARTBEAT_OK_", "HEARTBEAT_OK"),
        ("```\nHEARTBEAT_OK\n```", "HEARTBEAT_OK"),
        ("<b>HEARTBEAT_OK</b>", "HEARTBEAT_OK"),
        ('> "HEARTBEAT_OK."', "HEARTBEAT_OK"),
        ("# HEARTBEAT_OK", "HEARTBEAT_OK"),
        ("\ufeffHEARTBEAT_OK!", "HEARTBEAT_OK"),
    ],
)
def test_a_token_by_itself_is_an_acknowledgement_however_it_is_dressed_up(
    text: str, token: str
) -> None:
    judged = verdict(text, ack_max_chars=0)
    assert judged.ok_only
    assert judged.token == token


def test_what_follows_a_token_may_have_so_many_characters_and_not_one_more() -> None:
    assert verdict("HEARTBEAT_OK " + "x" * 300) == Verdict(
        ok_only=True, text="x" * 300, token="HEARTBEAT_OK"
    )
    assert verdict("HEARTBEAT_OK " + "x" * 301) == Verdict(
        ok_only=False, text="x" * 301, token=None
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "ALERT the database is down, disk full HEARTBEAT_OK",
            "ALERT the database is down, disk full",
        ),
        ("ALERT: disk full.\n\n**HEARTBEAT_OK**", "ALERT: disk full."),
        ("There is nothing to do about the fire.", "There is nothing to do about the fire."),
        ("nothing to do", "nothing to do"),
        ("Not HEARTBEAT_OK: disk full", "Not : disk full"),
        ("HEARTBEAT_OKAY", "HEARTBEAT_OKAY"),
        ("HEARTBEAT_OK_NOT", "HEARTBEAT_OK_NOT"),
        ("heartbeat_ok", "heartbeat_ok"),
        ("<alert>disk full</alert> NO_REPLY", "<alert>disk full</alert>"),
    ],
)
def test_pitfall_20_a_token_that_does_not_begin_a_reply_never_silences_it(
    text: str, told: str
) -> None:
    assert verdict(text) == Verdict(ok_only=False, text=told, token=None)


@pytest.mark.parametrize("text", ["", "  \n\t", "``` ```", "---", "<b></b>", "\u200b", "..."])
def test_an_empty_reply_is_no_acknowledgement_but_a_failure(text: str) -> None:
    assert judge_reply(text, ok_tokens=TOKENS, ack_max_chars=300) is None


words = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=80)


@given(before=words, after=words, token=st.sampled_from([*TOKENS, NO_REPLY]))
def test_pitfall_20_any_words_ahead_of_a_token_are_told_whatever_follows(
    before: str, after: str, token: str
) -> None:
    assume(any(character.isalnum() for character in before))
    assume("<" not in before)
    judged = verdict(f"{before} {token} {after}", ack_max_chars=10_000)
    assert not judged.ok_only
    assert token not in judged.text.split()
    assert before.split()[0] in judged.text


@given(text=st.text(max_size=200), ack=st.integers(0, 100))
def test_only_a_reply_that_begins_with_a_token_is_an_acknowledgement(text: str, ack: int) -> None:
    assume(not any(token in text for token in TOKENS))
    judged = judge_reply(text, ok_tokens=TOKENS, ack_max_chars=ack)
    assert judged is None or not judged.ok_only
    with_token = judge_reply(f"HEARTBEAT_OK {text}", ok_tokens=TOKENS, ack_max_chars=len(text))
    assert with_token is not None
    assert with_token.ok_only


@given(mark=st.sampled_from(["*", "_", "`", "-", "<b>", " ", "HEARTBEAT_OK "]))
def test_a_reply_of_nothing_but_markup_is_judged_in_no_time(mark: str) -> None:
    judge_reply(mark * (64 * 1024) + "x", ok_tokens=TOKENS, ack_max_chars=300)
