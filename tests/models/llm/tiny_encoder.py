"""A text encoder of random weights that fits a test: a plain transformers model in a folder."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ["a", "b", "c", "d", "e", "long", "short", "film", "about", "space"]
WIDTH, POSITIONS = 8, 16


def write_tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """BERT with one layer, `WIDTH` wide, for texts of up to `POSITIONS` tokens; each of `WORDS` is one token."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=POSITIONS,
    )  # fmt: skip
    config = BertConfig(
        vocab_size=len(special) + len(WORDS), hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=POSITIONS, initializer_range=1.0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
