"""What contradicts itself in a file of subgraphs: each fault in words that follow on the file's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from utils.registry import did_you_mean
from utils.retrieval.base import NO_NODE, Expansion, Retrieved

if TYPE_CHECKING:
    from utils.retrieval.store import SampleSubgraphs, SubgraphFile

SPLITS = ("train", "valid", "test")
_DTYPES = {"centres": np.int32, "scores": np.float32}
_NO_ITEM = -1


def faults(file: SubgraphFile, n_nodes: int | None, n_items: int | None) -> Iterator[str]:
    """Every fault, the users' first; what follows on a fault may be a consequence of it.

    n_nodes, n_items: of the graph and of the dataset, where they are known.
    """
    yield from _of_retrieved(file.retrieved, len(file.users), "users", "")
    if file.retrieved.expansion not in get_args(Expansion):
        near = did_you_mean(file.retrieved.expansion, get_args(Expansion))
        yield f": unknown expansion '{file.retrieved.expansion}'{near}"
    for name, number in (("hops", file.retrieved.hops), ("max_neighbors", file.max_neighbors)):
        if number < 1:
            yield f": its {name} is {number}; it is 1 or more"
    twice = [user for user, count in Counter(file.users).items() if count > 1]
    if twice:
        yield f" has the user '{twice[0]}' twice"
    yield from _of_centres(file.retrieved.centres, lambda row: f"the user '{file.users[row]}'", n_nodes)
    for split, own in file.samples.items():
        if split not in SPLITS:
            yield f": unknown split '{split}'{did_you_mean(split, SPLITS)}; accepted: {', '.join(SPLITS)}"
        yield from _of_samples(split, own, file.retrieved, n_nodes, n_items)


def _of_retrieved(found: Retrieved, n: int, what: str, where: str) -> Iterator[str]:
    """Shapes and types of what was retrieved for `n` users or samples."""
    for name, dtype in _DTYPES.items():
        array = getattr(found, name)
        if array.dtype != dtype or array.ndim != 3:
            accepted = f"they are [{what}, slots, n] {np.dtype(dtype).name}"
            yield f": its {name}{where} are {array.dtype} {list(array.shape)}; {accepted}"
    centres, scores, orders = found.centres, found.scores, found.orders
    if n != len(centres):
        yield f" has {n} {what} and centres of {len(centres)}{where}"
    if len(orders) != centres.shape[1] or not set(orders) <= {1, 2}:
        yield f" has {centres.shape[1]} slots{where} of orders {list(orders)}; each slot has 1 or 2"
    if scores.shape != centres.shape or not np.isfinite(scores).all():
        yield f": its scores{where} {list(scores.shape)} are not one number for each centre"


def _of_centres(centres: np.ndarray, who: Callable[[int], str], n_nodes: int | None) -> Iterator[str]:
    """Centres are nodes of the graph, distinct within a slot, and none follows on a -1."""
    ordered = np.sort(centres, axis=2)
    wrong = {
        "below -1": centres < NO_NODE,
        "twice in a slot": (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] != NO_NODE),
        "after a -1": (centres[..., 1:] != NO_NODE) & (centres[..., :-1] == NO_NODE),
    }
    if n_nodes is not None:
        wrong[f"beyond the graph's {n_nodes:,} nodes"] = centres >= n_nodes
    for what, where in wrong.items():
        rows = np.flatnonzero(where.any(axis=(1, 2)))
        if len(rows):
            yield f": {who(int(rows[0]))} has a centre {what}"


def _of_samples(
    split: str, own: SampleSubgraphs, of_users: Retrieved, n_nodes: int | None, n_items: int | None
) -> Iterator[str]:
    """Samples have one target, a history that begins with an item, and are retrieved as the users are."""
    where = f" of {split} samples"
    n = len(own.users)
    yield from _of_retrieved(own.retrieved, n, "samples", where)
    for name in ("orders", "expansion", "hops"):
        mine, theirs = getattr(own.retrieved, name), getattr(of_users, name)
        if mine != theirs:
            yield f": its users have {name} {theirs}, and its {split} samples {mine}"
    for name, dims, shape in (("targets", 1, "[samples]"), ("histories", 2, "[samples, length]")):
        array: Any = getattr(own, name)
        if array.dtype != np.int32 or array.ndim != dims or len(array) != n:
            yield f": the {name}{where} are {array.dtype} {list(array.shape)}; they are {shape} int32, of {n} samples"

    def who(row: int) -> str:
        return f"the {split} sample {row} of '{own.users[row]}'"

    histories = own.histories
    wrong = {
        "no target": own.targets < 0,
        "no history": (histories[:, :1] < 0).all(axis=1),
        "an item after a -1": ((histories[:, 1:] != _NO_ITEM) & (histories[:, :-1] == _NO_ITEM)).any(axis=1),
        "an item below -1": (histories < _NO_ITEM).any(axis=1),
    }
    if n_items is not None:
        most = np.maximum(own.targets, histories.max(axis=1, initial=_NO_ITEM))
        wrong[f"an item beyond the dataset's {n_items:,}"] = most >= n_items
    for what, rows in wrong.items():
        if rows.any():
            yield f": {who(int(np.flatnonzero(rows)[0]))} has {what}"
    yield from _of_centres(own.retrieved.centres, who, n_nodes)
