"""Histories as texts: the latest titles are always in them."""

from __future__ import annotations

import pytest

from models.llm.encoder_spec import EncoderSpec, locate
from tests.workspace import Workspace
from utils.knowledge.history_texts import TASK, encoded, history_text, history_texts


@pytest.fixture(scope="module")
def spec() -> EncoderSpec:
    return EncoderSpec(locate("all-MiniLM-L6-v2"))


def test_titles_stand_in_their_order_after_the_task() -> None:
    assert history_text(["Heat (1995)", "", "Fargo (1996)"], "history") == "Heat (1995), Fargo (1996)"
    assert history_text(["Heat (1995)"], "prompt") == f"{TASK}Heat (1995)."


def test_a_history_without_titles_says_nothing() -> None:
    assert history_text(["", ""], "prompt") == ""


def test_of_a_long_history_the_oldest_titles_are_left_out(workspace: Workspace, spec: EncoderSpec) -> None:
    long = [f"The {number}th long film of the series ({1900 + number})" for number in range(100)]
    (kept, whole), left_out = history_texts(workspace.context(), [long, long[:3]], "prompt", spec)
    assert left_out[1] == 0
    assert whole == history_text(long[:3], "prompt")
    assert 0 < left_out[0] < 100
    assert kept == history_text(long[left_out[0] :], "prompt")
    # Every title is some 10 tokens of the 256 that are read, so that no more than this is left out.
    assert 100 - left_out[0] > 10


def test_a_text_that_is_shortened_is_read_to_its_end(workspace: Workspace, spec: EncoderSpec) -> None:
    ctx = workspace.context()
    long = [f"The {number}th long film of the series ({1900 + number})" for number in range(100)]
    (one, other), _ = history_texts(ctx, [long, [*long[:-1], "Fargo (1996)"]], "prompt", spec)
    vectors = encoded(ctx, [one, other, ""], spec, 2, 384)
    assert not vectors[0].allclose(vectors[1], atol=1e-3)
    assert not vectors[2].any()
