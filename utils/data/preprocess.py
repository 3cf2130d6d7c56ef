"""LLM-KT's `preprocess_from_json` and `preprocess_random`: vector files with tokens, made before the first step."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils.data.embeddings import RANDOM, VectorFile, VectorFileError, write_vectors


def vectors_from_json(path: Path) -> VectorFile:
    """Vectors of a profile JSON, a list of {id, embedding, ...}; VectorFileError says what is wrong with it.

    Rows keep the order of the file; they find their user or item by `id`, whatever that order is.
    """
    try:
        profiles = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise VectorFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(profiles, list) or not profiles:
        raise VectorFileError(f"{path} is not a list of profiles")
    tokens, rows = [], []
    for number, profile in enumerate(profiles):
        if not isinstance(profile, dict) or "id" not in profile or "embedding" not in profile:
            raise VectorFileError(f"{path}: entry {number} is not an object with 'id' and 'embedding'")
        tokens.append(str(profile["id"]))
        rows.append(_numbers(path, number, profile["embedding"]))
    # Of each width the first id that has it.
    widths = {len(row): token for token, row in reversed(list(zip(tokens, rows, strict=True)))}
    if len(widths) > 1:
        examples = ", ".join(f"{width} (as '{widths[width]}')" for width in sorted(widths))
        raise VectorFileError(f"{path} has embeddings of several widths: {examples}; encode all with one encoder")
    twice = [token for token, count in Counter(tokens).items() if count > 1]
    if twice:
        raise VectorFileError(f"{path} has the id '{min(twice)}' twice; keep one entry of each user or item")
    return VectorFile(torch.tensor(rows, dtype=torch.float32), tuple(tokens), {"source": path.name})


def _numbers(path: Path, number: int, embedding: Any) -> list[float]:
    if isinstance(embedding, str):
        try:
            embedding = json.loads(embedding)
        except json.JSONDecodeError:
            embedding = None
    if not isinstance(embedding, list) or not embedding or not all(type(value) in (int, float) for value in embedding):
        raise VectorFileError(f"{path}: the embedding of entry {number} is not a list of numbers")
    return [float(value) for value in embedding]


def random_vectors(tokens: Sequence[str], width: int, seed: int, side: str) -> VectorFile:
    """Standard normal vectors [n, width]; a token's depends on the seed, its side ('users' or 'items') and itself.

    So users and items share none, a filter changes none of those that it leaves, and no vector repeats what
    the training draws from the same seed.
    """
    rows = [_generator(seed, side, token).standard_normal(width, dtype=np.float32) for token in tokens]
    vectors = torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, width)
    return VectorFile(vectors, tuple(tokens), {"source": RANDOM, "seed": seed})


def _generator(*names: object) -> np.random.Generator:
    digest = hashlib.sha256(json.dumps([RANDOM, *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def write_from_json(folder: Path, source: str, target: str) -> str:
    """Write `target` from the profile JSON `source`; returns what was done, in one line."""
    file = vectors_from_json(folder / source)
    write_vectors(folder / target, file)
    return f"{target}: {len(file.vectors):,} vectors of {source}, {file.vectors.shape[1]} wide"
