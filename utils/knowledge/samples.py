"""Samples: which item follows on a history? Targets and histories of a split's three parts, as rows of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from utils.context import RunContext
from utils.data.facts import Fields, latest_first
from utils.knowledge.histories import is_liked
from utils.scenario.errors import StepError

Split = Literal["train", "valid", "test"]
Windows = Literal["latest", "random"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Samples:
    """The S questions of one split: which item follows on this history?

    users [S]: the token of each one's user, in RecBole's order; in train a user occurs several times, the oldest
    target first. targets [S] int32: the item that followed, a place in `Histories.item_tokens`.
    histories [S, length] int32: what was liked before, oldest first, -1 after the last; none is empty.
    """

    split: Split
    users: tuple[str, ...]
    targets: np.ndarray
    histories: np.ndarray


def why_not_in_time(settings: Mapping[str, Any]) -> str | None:
    """Why a split does not hold back the last two items of each user, and what to set; None where it does.

    settings: all of them, with RecBole's defaults.
    """
    wanted = "set eval_args: {split: {LS: valid_and_test}, order: TO}"
    if settings.get("benchmark_filename"):
        return f"the parts lie in files (benchmark_filename); remove it and {wanted}"
    args = settings["eval_args"]
    split = {name: value for name, value in args["split"].items() if value is not None}
    if split == {"LS": "valid_and_test"} and args["order"] == "TO":
        return None
    is_now = ", ".join(f"{name}: {value}" for name, value in split.items())
    return f"samples need a split by time, and eval_args has {{split: {{{is_now}}}, order: {args['order']}}}; {wanted}"


def samples_of(
    ctx: RunContext,
    length: int,
    min_rating: float | None,
    train_windows: int,
    titles: Sequence[str],
    windows: Windows = "latest",
) -> tuple[dict[Split, Samples], dict[Split, dict[str, int]]]:
    """The samples of each split, and for the record how many were asked for and left out.

    Targets are `train_windows` items of each user's train part, whatever their rating, their valid item and their test
    item. windows: those of the train part are the latest, or drawn by the run's seed from all that follow on a history;
    what a user meets first is more popular, and easier to learn from. A history are the `length` latest items before
    the target, of those rated `min_rating` or more (None: of all): for valid of the train part, for test of train and
    valid part. Within a part ties in time are ordered by item token; a later part is later. titles [n_items]: an item
    without one is no target.
    Left out are targets on an empty history (`skipped`) and, of the others, those without a title (`untitled`).
    StepError at `train_windows` for a split that does not hold back the last two items of each user.
    """
    from utils.recbole_port import session
    from utils.recbole_port.train_part import split_interactions

    config, data = ctx.recbole_config(), ctx.data
    if (why := why_not_in_time(config.final_config_dict)) is not None:
        raise StepError("train_windows", why)
    fields = Fields.of(config)
    users, items = (session.id_map(data, field).real_tokens for field in (fields.user, fields.item))
    parts = split_interactions(config, data)
    rows = pd.concat(
        [latest_first(parts[split], fields).iloc[::-1].assign(_split=split) for split in SPLITS], ignore_index=True
    )
    # An item that comes again stands in a history where it came first.
    liked = (is_liked(rows, fields, min_rating) & ~rows.duplicated([fields.user, fields.item])).to_numpy()
    owners = pd.Index(users).get_indexer(rows[fields.user])
    by_user = np.argsort(owners, kind="stable")
    owners, liked = owners[by_user], liked[by_user]
    targets = pd.Index(items).get_indexer(rows[fields.item])[by_user].astype(np.int32)
    of_split = rows["_split"].to_numpy()[by_user]
    histories = _liked_before(owners, targets, liked, length)
    untitled = np.array([not title for title in titles], dtype=bool)
    found: dict[Split, Samples] = {}
    counts: dict[Split, dict[str, int]] = {}
    for split in SPLITS:
        asked = np.flatnonzero(of_split == split)
        if split == "train" and windows == "random":
            asked = asked[(histories[asked, 0] >= 0) & ~untitled[targets[asked]]]
            asked = asked[_drawn(owners[asked], train_windows, config["seed"])]
        elif split == "train":
            asked = asked[_from_the_end(owners[asked]) < train_windows]
        known = asked[histories[asked, 0] >= 0]
        kept = known[~untitled[targets[known]]]
        tokens = tuple(users[owner] for owner in owners[kept])
        found[split] = Samples(split, tokens, targets[kept], histories[kept])
        counts[split] = {"asked": len(asked), "skipped": len(asked) - len(known), "untitled": len(known) - len(kept)}
    return found, counts


def known_items(ctx: RunContext) -> dict[Split, dict[str, np.ndarray]]:
    """For each split and user token, the item rows (sorted) that may not be drawn as negatives of its targets.

    Those of the user's train part, for valid also of the valid part, for test of all parts: as in RecBole's own
    sampling, an item of a later part may be a negative of an earlier one, so that no target shows by its absence.
    """
    from utils.recbole_port import session
    from utils.recbole_port.train_part import held_out_pairs, train_pairs

    config, data = ctx.recbole_config(), ctx.data
    fields = Fields.of(config)
    items = pd.Index(session.id_map(data, fields.item).real_tokens)
    parts = [train_pairs(config, data), held_out_pairs(config, data, "valid"), held_out_pairs(config, data, "test")]
    known: dict[Split, dict[str, np.ndarray]] = {}
    for n_parts, split in enumerate(SPLITS, start=1):
        pairs = pd.concat(parts[:n_parts]).drop_duplicates()
        pairs = pairs.assign(_row=items.get_indexer(pairs[fields.item]).astype(np.int32)).sort_values("_row")
        known[split] = {user: own.to_numpy() for user, own in pairs.groupby(fields.user)["_row"]}
    return known


def _liked_before(owners: np.ndarray, items: np.ndarray, liked: np.ndarray, length: int) -> np.ndarray:
    """[n, length] int32: the latest liked items of a row's owner before that row, oldest first, -1 after the last.

    owners [n]: sorted, the rows of each in order of time. items [n], liked [n] bool.
    """
    before = np.cumsum(liked) - liked
    first = np.maximum(before[np.searchsorted(owners, owners)], before - length)
    places = first[:, None] + np.arange(length)
    # One more at the end, for what is not there.
    of_liked = np.append(items[liked], np.int32(-1))
    return of_liked[np.where(places < before[:, None], places, -1)]


def _drawn(owners: np.ndarray, n: int, seed: int) -> np.ndarray:
    """[m]: places of up to `n` rows of each owner, drawn without replacement, in their own order. owners: sorted."""
    order = np.lexsort((np.random.default_rng(seed).random(len(owners)), owners))
    return np.sort(order[_from_the_end(owners) < n])


def _from_the_end(owners: np.ndarray) -> np.ndarray:
    """[n]: how many rows of the same owner follow on each. owners [n]: sorted."""
    return np.searchsorted(owners, owners, side="right") - 1 - np.arange(len(owners))
