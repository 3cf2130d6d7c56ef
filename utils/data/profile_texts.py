"""Plain descriptions of items and users, from the dataset's own files and the train part only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class ItemFacts:
    """What is known about one item; empty where a column is missing."""

    title: str
    year: str
    genres: Sequence[str]

    def text(self) -> str:
        """`Toy Story (1995). Animation, Children's, Comedy.`"""
        parts = [part for part in (self.name(), ", ".join(self.genres)) if part]
        return ". ".join(parts) + "." if parts else ""

    def name(self) -> str:
        """Title and year, as a user's text lists it; empty without a title."""
        return f"{self.title} ({self.year})" if self.title and self.year else self.title


def item_texts(facts: Mapping[str, ItemFacts]) -> dict[str, str]:
    """Token -> text, for the items that have any."""
    texts = {token: item.text() for token, item in facts.items()}
    return {token: text for token, text in texts.items() if text}


def user_texts(liked: Mapping[str, Sequence[str]], facts: Mapping[str, ItemFacts], most: int) -> dict[str, str]:
    """Token -> `This user liked A (1990), B (1991).`: the first `most` of the liked items that have a title."""
    texts = {}
    for user, items in liked.items():
        names = (facts[item].name() for item in items if item in facts)
        titled = list(islice((name for name in names if name), most))
        if titled:
            texts[user] = f"This user liked {', '.join(titled)}."
    return texts


def fingerprint(users: Sequence[str], items: Sequence[str]) -> str:
    """A short hash of the set of pairs (users[i], items[i]) of tokens, whatever their order."""
    codes, tokens = zip(
        *(pd.factorize(np.asarray(side, dtype=object), sort=True) for side in (users, items)), strict=True
    )
    pairs = np.unique(codes[0].astype(np.int64) * (len(tokens[1]) + 1) + codes[1])
    digest = hashlib.sha256()
    for side in tokens:
        digest.update("\n".join([str(len(side)), *side, ""]).encode())
    digest.update(pairs.astype("<i8").tobytes())
    return digest.hexdigest()[:16]


def text_hashes(encoder: str, texts: Iterable[str]) -> list[str]:
    """A short hash of each text and of what encodes it: same hash, same vector.

    encoder: its fingerprint.
    """
    return [hashlib.sha256(f"{encoder}\n{text}".encode()).hexdigest()[:16] for text in texts]


def content_hash(tokens: Iterable[str], hashes: Iterable[str]) -> str:
    """A short hash of a whole file to be: which token has which text's vector, whatever the order."""
    pairs = sorted(zip(tokens, hashes, strict=True))
    return hashlib.sha256("".join(f"{token}\t{text}\n" for token, text in pairs).encode()).hexdigest()[:16]
