"""Descriptions by a causal language model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from models.llm.causal_lm import CausalLM, quiet_transformers
from models.llm.writers.base import Answer, Answers, Failure
from models.llm.writers.draws import GumbelNoise

if TYPE_CHECKING:
    from transformers import LogitsProcessorList


class LocalWriter:
    """Asks in batches of prompts of similar length.

    temperature: 0 takes the likeliest token each time; else tokens are drawn from what `seed` and the prompt start,
    whatever else is asked.
    """

    def __init__(self, lm: CausalLM, max_tokens: int, temperature: float, batch_size: int, seed: int) -> None:
        self._lm, self._max_tokens, self._batch_size = lm, max_tokens, batch_size
        self._seed, self._temperature = seed, temperature

    def write(self, prompts: Sequence[str]) -> Answers:
        if not prompts:
            return
        texts = [self._as_chat(prompt) for prompt in prompts]
        lengths = [len(ids) for ids in self._lm.tokenizer(texts, add_special_tokens=not self._chats).input_ids]
        room = self._context - self._max_tokens
        for number, length in enumerate(lengths):
            if length > room:
                yield number, Failure(f"the prompt does not fit: the model takes {room:,} tokens beside max_tokens")
        # The longest first: what does not fit into memory is known at once.
        fitting = sorted((number for number in range(len(texts)) if lengths[number] <= room), key=lambda n: -lengths[n])
        for start in range(0, len(fitting), self._batch_size):
            batch = fitting[start : start + self._batch_size]
            yield from zip(batch, self._generate([texts[number] for number in batch]), strict=True)

    def _generate(self, texts: list[str]) -> list[Answer | Failure]:
        tokenizer, model = self._lm.tokenizer, self._lm.model
        encoded = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=not self._chats)
        asked = encoded.input_ids.shape[1]
        with torch.inference_mode(), quiet_transformers():
            ids = model.generate(
                input_ids=encoded.input_ids.to(model.device),
                attention_mask=encoded.attention_mask.to(model.device),
                max_new_tokens=self._max_tokens,
                pad_token_id=tokenizer.pad_token_id,
                do_sample=False,
                num_beams=1,
                logits_processor=self._draws(texts),
            )
        prompt_tokens = encoded.attention_mask.sum(1).tolist()
        return [self._answer(row, count) for row, count in zip(ids[:, asked:].tolist(), prompt_tokens, strict=True)]

    def _draws(self, texts: Sequence[str]) -> LogitsProcessorList:
        from transformers import LogitsProcessorList

        if not self._temperature:
            return LogitsProcessorList()
        return LogitsProcessorList([GumbelNoise(self._seed, texts, self._temperature, self._lm.model.device)])

    def _answer(self, ids: list[int], prompt_tokens: int) -> Answer | Failure:
        ends = [position for position, token in enumerate(ids) if token in self._end_ids]
        said = ids[: ends[0]] if ends else ids
        text = self._lm.tokenizer.decode(said, skip_special_tokens=True).strip()
        if not text:
            return Failure("the model answered nothing")
        return Answer(text, prompt_tokens, len(said), cut=not ends)

    def _as_chat(self, prompt: str) -> str:
        if not self._chats:
            return prompt
        message = [{"role": "user", "content": prompt}]
        return self._lm.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)

    @property
    def _chats(self) -> bool:
        return bool(self._lm.tokenizer.chat_template)

    @property
    def _context(self) -> int:
        return int(self._lm.model.config.max_position_embeddings)

    @property
    def _end_ids(self) -> set[int]:
        ends = self._lm.model.generation_config.eos_token_id
        ends = [self._lm.tokenizer.eos_token_id] if ends is None else ends
        return set(ends) if isinstance(ends, list) else {ends}
