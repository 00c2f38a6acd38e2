"""Thoughts at the beginning of a reply are kept apart from the answer."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.runners.thoughts import AnswerWriter


class Sink:
    def __init__(self) -> None:
        self.answer = b""
        self.log = b""

    def write(self, data: bytes) -> None:
        self.answer += data
        self.log += data

    def write_apart(self, data: bytes) -> None:
        self.log += data

    def restart(self) -> None:
        self.answer = b""


def split(*pieces: bytes) -> tuple[Sink, AnswerWriter]:
    sink = Sink()
    writer = AnswerWriter(sink)
    for piece in pieces:
        writer.write(piece)
    writer.end()
    return sink, writer


def answer(text: str) -> str:
    return split(text.encode())[0].answer.decode()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>x</think>HEARTBEAT_OK", "HEARTBEAT_OK"),
        ("\n <think>\nmany\nlines\n</think>\n\nAll is well.\n", "All is well.\n"),
        ("<think></think>ok", "ok"),
        ("<think>a</think><think>b</think>ok", "ok"),
        ("<THINK>a</Think>ok", "ok"),
        ("<thinking>a</thinking>ok", "ok"),
        ("<thought>a</thought>ok", "ok"),
        ("<reasoning>a</reasoning>ok", "ok"),
        ("[THINK]a[/THINK]ok", "ok"),
        ("<seed:think>a</seed:think>ok", "ok"),
        ("◁think▷a◁/think▷ok", "ok"),
        ("<|channel|>analysis<|message|>a<|channel|>final<|message|>ok", "ok"),
        ("\ufeff<think>a</think>ok", "ok"),
        ("no opening tag\n</think>\n\nHEARTBEAT_OK", "HEARTBEAT_OK"),
        ("no opening tag</think>HEARTBEAT_OK", "HEARTBEAT_OK"),
        ("</think>ok", "ok"),
        ("a plan with ```sh\nls\n``` in it</think>ok", "ok"),
    ],
)
def test_what_a_model_thinks_ahead_of_its_answer_is_cut(reply: str, expected: str) -> None:
    assert answer(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "plain",
        "  plain, with blanks around it \n",
        "1 < 2 and a[0] > 3",
        "<b>bold</b> is no tag of thoughts",
        "<thin",
        "the template lacks `</think>`; add it",
        'the template lacks "</think>"',
        "fix it:\n```\nprompt</think>answer\n```\ndone",
        "First this. <think>later thoughts</think> Then that.",
        "it ends in <",
    ],
)
def test_an_answer_without_thoughts_ahead_of_it_stays_as_it_is(reply: str) -> None:
    assert answer(reply) == reply


@pytest.mark.parametrize(
    "reply", ["<think>a", "<think>a</think>", "<think>a</think> \n", "a</think>"]
)
def test_a_reply_of_thoughts_alone_has_no_answer(reply: str) -> None:
    sink, writer = split(reply.encode())
    assert not sink.answer.strip()
    assert (writer.has_answer, writer.has_thoughts) == (False, True)


@pytest.mark.parametrize("reply", ["", " \n", "<think> </think>", "x" * 10, "\n" * 10_000])
def test_white_space_is_neither_thought_nor_answer(reply: str) -> None:
    _, writer = split(reply.encode())
    assert (writer.has_answer, writer.has_thoughts) == (bool(reply.strip("< think>/\n")), False)


def test_the_log_has_thoughts_and_answer_as_they_came() -> None:
    reply = b"<think>because</think>\nanswer"
    assert split(reply)[0].log == reply


def test_reasoning_in_a_field_of_its_own_stands_between_tags_in_the_log() -> None:
    sink = Sink()
    writer = AnswerWriter(sink)
    writer.reason(b"beca")
    writer.reason(b"use")
    writer.write(b"answer")
    writer.end()
    assert (sink.log, sink.answer) == (b"<think>because</think>\nanswer", b"answer")


_REPLIES = [
    "<think>qbth</think>HEARTBEAT_OK",
    "x </think>\n\nan answer with `</think>` in it",
    "◁think▷a◁/think▷ ok",
    "fine: ```a</think>b```",
    "plain < text [and so on",
]


@given(reply=st.sampled_from(_REPLIES), cuts=st.lists(st.integers(1, 60), max_size=12))
def test_tags_may_be_cut_anywhere(reply: str, cuts: list[int]) -> None:
    whole = reply.encode()
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in itertools.pairwise(places)]
    cut, one = split(*pieces)[0], split(whole)[0]
    assert (cut.answer, cut.log) == (one.answer, one.log)
