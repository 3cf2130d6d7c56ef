"""Texts as vectors: each keeps its place, and pooling, length and normalisation are what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.llm.encoder_spec import EncoderError, EncoderSpec
from models.llm.text_encoder import encode
from tests.models.llm.tiny_encoder import POSITIONS, WIDTH, write_tiny_encoder

CPU = torch.device("cpu")
TEXTS = ["long film about space a b c", "short", "film about space"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def _encode(folder: Path, texts: list[str], **how: Any) -> torch.Tensor:
    return encode(texts, EncoderSpec(folder, **how), 2, CPU)


def _token_vectors(folder: Path, text: str) -> torch.Tensor:
    """What the model itself says of each token of one text, [n_tokens, dim]."""
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        return AutoModel.from_pretrained(folder)(**tokens).last_hidden_state[0]


def test_texts_keep_their_places_whatever_their_length(folder: Path) -> None:
    told: list[int] = []
    together = encode(TEXTS, EncoderSpec(folder), 2, CPU, told.append)
    alone = torch.cat([_encode(folder, [text]) for text in TEXTS])
    assert together.shape == (3, WIDTH)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert told == [2, 1]


def test_many_texts_are_tokenised_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _encode(folder, TEXTS)
    monkeypatch.setattr("models.llm.text_encoder._TOKENISED", 2)
    torch.testing.assert_close(_encode(folder, TEXTS), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("pooling", "of"),
    [
        (None, lambda tokens: tokens.mean(dim=0)),
        ("mean", lambda tokens: tokens.mean(dim=0)),
        ("cls", lambda tokens: tokens[0]),
        ("max", lambda tokens: tokens.max(dim=0).values),
        ("last", lambda tokens: tokens[-1]),
    ],
)
def test_token_vectors_become_one_as_asked(pooling: Any, of: Any, folder: Path) -> None:
    vectors = _encode(folder, TEXTS, pooling=pooling)
    expected = torch.stack([of(_token_vectors(folder, text)) for text in TEXTS])
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=0)


def test_vectors_have_length_1_only_if_asked_where_the_encoder_leaves_them(folder: Path) -> None:
    own, normal = _encode(folder, TEXTS), _encode(folder, TEXTS, normalize=True)
    torch.testing.assert_close(normal, own / own.norm(dim=1, keepdim=True))
    assert not torch.allclose(own.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(_encode(folder, TEXTS, normalize=False), own)


def test_an_encoder_that_normalises_can_be_told_not_to() -> None:
    from models.llm.encoder_spec import locate

    minilm = locate("all-MiniLM-L6-v2")
    own, raw = _encode(minilm, ["a film"]), _encode(minilm, ["a film"], normalize=False)
    assert own.norm().item() == pytest.approx(1, abs=1e-5)
    assert raw.norm().item() != pytest.approx(1, abs=1e-2)
    torch.testing.assert_close(raw / raw.norm(), own, atol=1e-5, rtol=0)


def test_the_rest_of_a_text_is_not_read(folder: Path) -> None:
    # Two words and the two special tokens.
    shortened = _encode(folder, ["long film about space"], max_length=4)
    torch.testing.assert_close(shortened, _encode(folder, ["long film"]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [2, POSITIONS + 1])
def test_a_length_that_the_encoder_does_not_take_is_refused(length: int, folder: Path) -> None:
    said = f"got {length}; this encoder takes at least 3 tokens and at most 16"
    with pytest.raises(EncoderError, match=said) as caught:
        _encode(folder, TEXTS, max_length=length)
    assert caught.value.parameter == "max_length"


def test_an_encoder_without_pooling_or_padding_is_taken_as_it_is(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"x": 0, "a": 1, "b": 2}, unk_token="x"))
    tokenizer.pre_tokenizer = Whitespace()
    weights = torch.tensor([[9.0, 9], [1, 0], [0, 1]]).numpy()
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)]).save(str(tmp_path))
    # The mean of a word's vectors: (1, 0) of a, (0, 1) of b.
    assert _encode(tmp_path, ["a", "a b", "b"]).tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    for how, said in (({"pooling": "cls"}, "no pooling of its own"), ({"max_length": 4}, "texts of any length")):
        with pytest.raises(EncoderError, match=said) as caught:
            _encode(tmp_path, ["a"], **how)
        assert caught.value.parameter == next(iter(how))


def test_vectors_can_be_used_in_training(folder: Path) -> None:
    weight = torch.ones(WIDTH, requires_grad=True)
    (_encode(folder, TEXTS) * weight).sum().backward()
    assert weight.grad is not None


def test_a_folder_whose_model_does_not_load_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(EncoderError, match=f"the encoder in {tmp_path} cannot be loaded: "):
        _encode(tmp_path, TEXTS)


def test_no_text_is_no_encoding(folder: Path) -> None:
    with pytest.raises(EncoderError, match="there is no text to encode"):
        _encode(folder, [])
