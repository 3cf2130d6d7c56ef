"""Sentence vectors from a text encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from models.llm.encoder_spec import EncoderError, EncoderSpec

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# sentence-transformers' names of the ways to pool.
_POOLING = {"mean": "mean", "cls": "cls", "max": "max", "last": "lasttoken"}
# So many texts are tokenised at once; their tokens lie in one padded table.
_TOKENISED = 8_192


def encode(
    texts: Sequence[str],
    spec: EncoderSpec,
    batch_size: int,
    device: torch.device,
    progress: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """Texts -> [n, dim] float32 on the CPU, in the order of the texts.

    Texts are encoded in order of their number of tokens, so that a batch holds hardly any padding; `progress` is
    told how many more are done. EncoderError for an encoder that does not load or cannot do what `spec` asks for.
    """
    if not texts:
        raise EncoderError("there is no text to encode")
    model = load(spec, device)
    vectors: torch.Tensor | None = None
    with torch.inference_mode():
        for start in range(0, len(texts), _TOKENISED):
            for rows, batch in _batches(model, texts[start : start + _TOKENISED], batch_size):
                encoded = model({name: _to(value, device) for name, value in batch.items()})["sentence_embedding"]
                if spec.normalize:
                    encoded = torch.nn.functional.normalize(encoded, dim=1)
                if vectors is None:
                    vectors = torch.empty(len(texts), encoded.shape[1])
                vectors[start + rows] = encoded.float().cpu()
                progress(len(rows))
    assert vectors is not None
    # A tensor of inference mode cannot be used in training.
    return vectors.clone()


def count_tokens(texts: Sequence[str], spec: EncoderSpec, device: torch.device) -> tuple[list[int], int | None]:
    """How many tokens each text has, and how many of them the encoder reads, None if it reads texts of any length."""
    model = load(spec, device)
    limit = model.max_seq_length if _transformer(model) is not None else None
    if limit is None or not texts:
        return [0] * len(texts), None
    tokens = model.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
    return [len(one) for one in tokens], limit


def load(spec: EncoderSpec, device: torch.device) -> SentenceTransformer:
    """The encoder with the pooling and the length that are asked for, and without a normalisation that is not.

    A folder with a plain transformers model pools by the mean, as sentence-transformers does.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        model = SentenceTransformer(str(spec.folder), device=str(device), local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        why = str(error).strip().partition("\n")[0]
        raise EncoderError(f"the encoder in {spec.folder} cannot be loaded: {why}") from error
    if spec.pooling is not None:
        _pool(model, spec.pooling)
    if spec.normalize is False:
        for name in _named(model, "Normalize"):
            delattr(model, name)
    if spec.max_length is not None:
        _shorten(model, spec.max_length)
    return model.eval()


def _pool(model: SentenceTransformer, pooling: str) -> None:
    found = _named(model, "Pooling")
    if len(found) != 1:
        raise EncoderError("this encoder has no pooling of its own that another could replace", "pooling")
    ((name, own),) = found.items()
    setattr(model, name, type(own)(own.embedding_dimension, pooling_mode=_POOLING[pooling]))


def _named(model: SentenceTransformer, kind: str) -> dict[str, Any]:
    """The encoder's modules of a class of that name; where the class lies, each release says anew."""
    return {name: module for name, module in model.named_children() if type(module).__name__ == kind}


def _shorten(model: SentenceTransformer, max_length: int) -> None:
    config = getattr(_transformer(model), "config", None)
    most = getattr(config, "max_position_embeddings", None)
    if config is None:
        raise EncoderError("this encoder reads texts of any length", "max_length")
    least = model.tokenizer.num_special_tokens_to_add() + 1
    if max_length < least or (most is not None and max_length > most):
        upto = "" if most is None else f" and at most {most}"
        raise EncoderError(f"got {max_length}; this encoder takes at least {least} tokens{upto}", "max_length")
    model.max_seq_length = max_length


def _transformer(model: SentenceTransformer) -> Any:
    """The network that reads tokens in their order; None of an encoder that looks each up by itself."""
    return getattr(model[0], "auto_model", None)


def _batches(
    model: SentenceTransformer, texts: Sequence[str], batch_size: int
) -> Iterator[tuple[torch.Tensor, dict[str, Any]]]:
    """(rows, their features), by falling number of tokens and cut to what the longest of them uses."""
    features = _features(model, texts)
    mask = features.get("attention_mask")
    if mask is None:
        # Static embeddings look each token up by itself: there is no padding, and no order that is better.
        for rows in torch.arange(len(texts)).split(batch_size):
            yield rows, _features(model, [texts[row] for row in rows.tolist()])
        return
    for rows in mask.sum(dim=1).argsort(descending=True, stable=True).split(batch_size):
        # Padding is on either side; a column that any of the rows uses is kept.
        used = mask[rows].any(dim=0)
        yield (
            rows,
            {name: value[rows][:, used] if _by_token(value, mask) else value for name, value in features.items()},
        )


def _features(model: SentenceTransformer, texts: Sequence[str]) -> dict[str, Any]:
    prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None
    return model.preprocess(list(texts), prompt=prompt)


def _by_token(value: Any, mask: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == mask.shape


def _to(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value
