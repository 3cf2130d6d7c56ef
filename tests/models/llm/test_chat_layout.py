"""Where a question stands: as a chat template has it, with or without a place for the system."""

from __future__ import annotations

from typing import Any

import pytest

from models.llm.chat_layout import ChatLayout, ChatLayoutError, layout_of
from tests.models.llm.tiny_tokenizers import characters, text_of

MESSAGES = "{% for message in messages %}[{{ message.role }}]{{ message.content | trim }}{% endfor %}"
ASKS = "{% if add_generation_prompt %}[assistant]{% endif %}"
CHAT = "<s>" + MESSAGES + ASKS
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHAT
IGNORES = "<s>{% for message in messages if message.role == 'user' %}[user]{{ message.content }}{% endfor %}" + ASKS


def heads_and_tails(tokenizer: Any) -> tuple[str, str]:
    layout = layout_of(tokenizer, "Choose.")
    assert text_of(tokenizer, layout.tail_ids) == layout.tail
    return text_of(tokenizer, layout.head_ids), layout.tail


def test_the_instruction_is_the_systems_and_the_question_the_users() -> None:
    assert heads_and_tails(characters(CHAT)) == ("<s>[system]Choose.[user]", "[assistant]")


@pytest.mark.parametrize("template", [REFUSES, IGNORES])
def test_without_a_place_for_the_system_the_user_says_the_instruction(template: str) -> None:
    assert heads_and_tails(characters(template)) == ("<s>[user]Choose.\n", "[assistant]")


def test_without_a_chat_template_the_instruction_is_a_line_and_an_answer_is_asked_for() -> None:
    assert heads_and_tails(characters()) == ("<s>Choose.\n", "\nAnswer:")
    assert heads_and_tails(characters(bos_token=None)) == ("Choose.\n", "\nAnswer:")


@pytest.mark.parametrize("adds_beginning", [False, True])
@pytest.mark.parametrize("template", [None, CHAT])
def test_a_text_begins_once(template: str | None, adds_beginning: bool) -> None:
    tokenizer = characters(template, adds_beginning=adds_beginning)
    layout = layout_of(tokenizer, "Choose.")
    assert [*layout.head_ids, *layout.tail_ids].count(tokenizer.bos_token_id) == 1
    assert layout.head_ids[0] == tokenizer.bos_token_id


@pytest.mark.parametrize(
    ("adds_beginning", "head"), [(True, "<s>[system]Choose.[user]"), (False, "[system]Choose.[user]")]
)
def test_of_a_template_that_begins_no_text_the_tokenizer_tells(adds_beginning: bool, head: str) -> None:
    assert heads_and_tails(characters(MESSAGES + ASKS, adds_beginning=adds_beginning))[0] == head


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("[system]{{ messages[0].content }}" + ASKS, "has the user's message 0 times; accepted: once"),
        (CHAT + "{{ messages[-1].content }}", "has the user's message 2 times; accepted: once"),
        ("{{ raise_exception('of no use') }}", "cannot be used: of no use"),
        (
            "{% for message in messages %}[{{ message.role }}]{{ message.content.split('.')[-1] }}{% endfor %}",
            "instruction out",
        ),
    ],
)
def test_a_template_that_cannot_hold_a_question_is_refused(template: str, said: str) -> None:
    with pytest.raises(ChatLayoutError, match=said):
        layout_of(characters(template), "Choose.")


def test_an_answer_follows_as_the_template_has_it() -> None:
    spaced = (
        "{% for message in messages %}{% if message.role == 'assistant' %} {{ message.content }} </s>{% else %}"
        "[INST] {{ message.content }} [/INST]{% endif %}{% endfor %}"
    )
    assert layout_of(characters(spaced), "Choose.").gap == " "
    assert layout_of(characters(CHAT), "Choose.").gap == ""
    assert layout_of(characters(), "Choose.").gap == " "


def test_a_layout_is_the_same_every_day() -> None:
    dated = (
        "{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{{ date_string }}" + MESSAGES + ASKS
    )
    assert heads_and_tails(characters(dated))[0] == "26 Jul 2024[system]Choose.[user]"


def test_a_model_that_can_think_first_is_asked_to_answer() -> None:
    thinks = CHAT + "{% if enable_thinking is defined and not enable_thinking %}[no thoughts]{% endif %}"
    assert heads_and_tails(characters(thinks))[1] == "[assistant][no thoughts]"


def test_a_special_token_of_a_template_is_one_token() -> None:
    layout = layout_of(characters(CHAT + "</s>"), "Choose.")
    assert layout == ChatLayout(layout.head_ids, layout.tail_ids, "[assistant]</s>", "", layout.instruction)
    assert layout.tail_ids[-1] == 2
    assert len(layout.tail_ids) == len("[assistant]") + 1
