"""The candidates of each sample: its target and negatives that the user does not know, and the order of the options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from utils.knowledge.samples import Samples

Sampling = Literal["uniform", "popularity"]


class CandidatesError(ValueError):
    """Candidates that cannot be drawn; the message says how many are possible."""


def candidates(
    samples: Samples,
    known: Mapping[str, np.ndarray],
    titles: Sequence[str],
    n: int,
    sampling: Sampling,
    popularity: np.ndarray,
    item_tokens: Sequence[str],
    seed: int,
) -> np.ndarray:
    """[S, n] int32 item rows: the target of each sample in column 0, then n - 1 negatives in the order of the draw.

    A negative is no item in `known` (token of each user -> item rows) and has a title, and no two candidates have the
    same one, whatever the case of its letters. uniform: each item as likely as any other; popularity [n_items]: in
    proportion to it, one after the other without replacement, and never an item without any.
    The draw of a sample depends on the seed, its split, user and target, and on the items' tokens; not on the order
    of users and items, and not on other samples.
    CandidatesError where a sample has fewer than n candidates, or a target has no title.
    """
    kinds = _same_titles(titles)
    weights = np.ones(len(titles)) if sampling == "uniform" else popularity.astype(np.float64)
    drawable = (kinds >= 0) & (weights > 0)
    # The first of exponential waiting times with these rates is each item in proportion to its rate, and so on.
    waiting = np.where(drawable, 1 / np.where(drawable, weights, 1), np.inf)
    # Rows follow the order of a file, tokens do not.
    by_token = np.argsort(np.argsort(np.array(item_tokens)))
    found = np.empty((len(samples.users), n), dtype=np.int32)
    found[:, 0] = samples.targets
    possible: dict[str, int] = {}
    for row, (user, target) in enumerate(zip(samples.users, samples.targets.tolist(), strict=True)):
        if kinds[target] < 0:
            raise CandidatesError(f"the item '{item_tokens[target]}', a target of user '{user}', has no title")
        draw = _generator(seed, samples.split, user, item_tokens[target])
        times = draw.standard_exponential(len(titles))[by_token] * waiting
        times[known[user]] = np.inf
        times[kinds == kinds[target]] = np.inf
        negatives = _earliest(times, kinds, n - 1)
        if len(negatives) == n - 1:
            found[row, 1:] = negatives
        else:
            possible[user] = min(len(negatives) + 1, possible.get(user, n))
    if possible:
        user = min(possible, key=possible.__getitem__)
        raise CandidatesError(_too_few(n, possible[user], user, sampling))
    return found


def option_order(samples: Samples, n: int, seed: int, epoch: int | None) -> np.ndarray:
    """[S, n] int64: at place j the column of the sample's candidate that is option j (A, B, C ...).

    Another one in each epoch; None: the one that is measured with. It depends on nothing else than the seed and the
    sample's split, user and target (its row).
    """
    rows = zip(samples.users, samples.targets.tolist(), strict=True)
    orders = [_generator(seed, "order", epoch, samples.split, user, target).permutation(n) for user, target in rows]
    return np.array(orders, dtype=np.int64).reshape(-1, n)


def _same_titles(titles: Sequence[str]) -> np.ndarray:
    """[n_items] int64: a number for each title, the same for titles that differ in case alone; -1 for none."""
    folded = [title.casefold() or None for title in titles]
    return pd.factorize(np.array(folded, dtype=object))[0]


def _earliest(times: np.ndarray, kinds: np.ndarray, n: int) -> np.ndarray:
    """The rows of the `n` smallest finite times, of each kind only the first; all there are if these are fewer."""
    # Nearly always enough; where titles repeat too often, all are looked at.
    for most in (2 * n, len(times)):
        some = np.argpartition(times, most - 1)[:most] if most < len(times) else np.arange(len(times))
        ordered = some[np.argsort(times[some], kind="stable")]
        ordered = ordered[np.isfinite(times[ordered])]
        first = np.sort(np.unique(kinds[ordered], return_index=True)[1])[:n]
        if len(first) == n:
            break
    return ordered[first]


def _generator(*parts: Any) -> np.random.Generator:
    """Seeded by these values alone, the same on every machine and in every process."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _too_few(n: int, possible: int, user: str, sampling: Sampling) -> str:
    which = "with a title" if sampling == "uniform" else "with a title and users in the train part"
    return (
        f"num_candidates is {n}, and at most {possible} are possible: user '{user}' leaves {possible - 1} items "
        f"{which} that differ from each other and from the target"
    )
