"""A causal language model of two small layers with random weights, for tests of what is around one."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from models.llm.causal_lm import quiet_transformers

VOCABULARY = 60
HIDDEN = 32
# What the tiny dataset's titles and our own prompt are made of; any other word is unknown.
_WORDS = (
    "blue city dark first garden house last long night river road Given the history of a user select option that this "
    "is most likely to be interested in next Answer with its letter History Options Facts user system"
)
_SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<|says|>", "<|end|>"]
_CHAT = (
    "{{ bos_token }}{% for message in messages %}<|says|>{{ message['role'] }} {{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|says|>{% endif %}"
)


def tiny_lm(seed: int = 0, vocabulary: int = VOCABULARY, context: int = 256) -> LlamaForCausalLM:
    """Two layers of width 32, over 60 tokens where nothing else is asked for, float32."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def tiny_tokenizer(chat: bool = True, letters: str = string.ascii_uppercase) -> Any:
    """A tokenizer of words to which `letters` are tokens; with a chat template or without."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    known = dict.fromkeys([*_SPECIAL, *letters, *".,;:", *_WORDS.split()])
    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate(known)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=_SPECIAL[4:],
    )  # fmt: skip
    fast.chat_template = _CHAT if chat else None
    return fast


def write_tiny_lm(
    folder: Path, seed: int = 0, chat: bool = True, letters: str = string.ascii_uppercase, context: int = 2048
) -> Path:
    """A folder with a model and its tokenizer, as a scenario names it."""
    tokenizer = tiny_tokenizer(chat, letters)
    with quiet_transformers():
        tiny_lm(seed, len(tokenizer), context).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
