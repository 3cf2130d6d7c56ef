"""Subgraph files: the centres that each user's history asked for, from which subgraphs grow again at any time.

A file is written by `torch.save` as plain types only and read with `weights_only=True`. A user takes 4 bytes for a
centre and 4 for its score, whatever the size of the subgraphs: 40 bytes of centres for two orders of 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from utils.data.torch_files import load_plain, save_plain
from utils.registry import did_you_mean
from utils.retrieval.base import NO_NODE, Expansion, Retrieved

_DTYPES = {"centres": np.int32, "scores": np.float32}
# What a file holds under each name.
_KINDS: dict[str, type] = {
    "users": list,
    "centres": torch.Tensor,
    "scores": torch.Tensor,
    "orders": tuple,
    "expansion": str,
    "hops": int,
    "max_neighbors": int,
    "fingerprint": str,
    "meta": dict,
}


class SubgraphError(ValueError):
    """A subgraph file that cannot be used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class SampleSubgraphs:
    """The subgraphs of the S samples of one split, each retrieved for the history before its target.

    users [S]: tokens, one user several times in train. targets [S] int32: item rows. histories [S, length] int32: item
    rows, oldest first, -1 after the last; none is empty. An item row is a place in `Index.items.tokens`.
    """

    users: tuple[str, ...]
    targets: np.ndarray
    histories: np.ndarray
    retrieved: Retrieved


@dataclass(frozen=True)
class SubgraphFile:
    """The subgraphs of users, by token, and those of samples, by split.

    max_neighbors: how many neighbours of a centre its subgraph has at most. fingerprint: of the index and of what
    decided on the centres. meta: how they were made; plain values, the name of the `index_file` among them.
    samples: of "train", "valid" and "test", or none at all.
    """

    users: tuple[str, ...]
    retrieved: Retrieved
    max_neighbors: int
    fingerprint: str
    meta: dict[str, Any]
    samples: Mapping[str, SampleSubgraphs] = field(default_factory=dict)


def write_subgraphs(path: Path, file: SubgraphFile) -> None:
    """Write atomically; SubgraphError, and no file, for what could not be read again."""
    _check(path, file)
    tensors = {name: torch.from_numpy(getattr(file.retrieved, name)) for name in _DTYPES}
    content = {
        "users": list(file.users),
        **asdict(file.retrieved),
        **tensors,
        "max_neighbors": file.max_neighbors,
        "fingerprint": file.fingerprint,
        "meta": file.meta,
    }
    save_plain(path, content)


def read_subgraphs(path: Path, n_nodes: int | None = None) -> SubgraphFile:
    """Read a file; SubgraphError for a missing, unsafe, misshapen or contradictory one.

    n_nodes: of the graph that the centres are looked up in, where it is known.
    """
    content = load_plain(path, SubgraphError)
    if not isinstance(content, dict):
        raise SubgraphError(f"{path} holds {type(content).__name__}, not subgraphs")
    for name, kind in _KINDS.items():
        if name not in content:
            raise SubgraphError(f"{path} holds no {name}; it is no file of subgraphs")
        if type(content[name]) is not kind:
            raise SubgraphError(f"{path}: its {name} are {type(content[name]).__name__}, not {kind.__name__}")
    retrieved = Retrieved(
        content["centres"].numpy(), content["scores"].numpy(), content["orders"], content["expansion"], content["hops"]
    )
    file = SubgraphFile(
        tuple(content["users"]), retrieved, content["max_neighbors"], content["fingerprint"], content["meta"]
    )
    _check(path, file, n_nodes)
    return file


def _check(path: Path, file: SubgraphFile, n_nodes: int | None = None) -> None:
    centres, scores, orders = file.retrieved.centres, file.retrieved.scores, file.retrieved.orders
    for name, dtype in _DTYPES.items():
        found = getattr(file.retrieved, name)
        if found.dtype != dtype or found.ndim != 3:
            raise SubgraphError(
                f"{path}: its {name} are {found.dtype} {list(found.shape)}; they are [users, slots, n] "
                f"{np.dtype(dtype).name}"
            )
    if len(file.users) != len(centres):
        raise SubgraphError(f"{path} has {len(file.users)} users and centres of {len(centres)}")
    if len(orders) != centres.shape[1] or not set(orders) <= {1, 2}:
        raise SubgraphError(f"{path} has {centres.shape[1]} slots of orders {list(orders)}; each slot has 1 or 2")
    if scores.shape != centres.shape or not np.isfinite(scores).all():
        raise SubgraphError(f"{path}: its scores {list(scores.shape)} are not one number for each centre")
    if file.retrieved.expansion not in get_args(Expansion):
        near = did_you_mean(file.retrieved.expansion, get_args(Expansion))
        raise SubgraphError(f"{path}: unknown expansion '{file.retrieved.expansion}'{near}")
    for name, number in (("hops", file.retrieved.hops), ("max_neighbors", file.max_neighbors)):
        if number < 1:
            raise SubgraphError(f"{path}: its {name} is {number}; it is 1 or more")
    twice = [user for user, count in Counter(file.users).items() if count > 1]
    if twice:
        raise SubgraphError(f"{path} has the user '{twice[0]}' twice")
    _check_centres(path, file, n_nodes)


def _check_centres(path: Path, file: SubgraphFile, n_nodes: int | None) -> None:
    """Centres are nodes of the graph, distinct within a slot, and none follows on a -1."""
    centres = file.retrieved.centres
    ordered = np.sort(centres, axis=2)
    faults = {
        "below -1": centres < NO_NODE,
        "twice in a slot": (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] != NO_NODE),
        "after a -1": (centres[..., 1:] != NO_NODE) & (centres[..., :-1] == NO_NODE),
    }
    if n_nodes is not None:
        faults[f"beyond the graph's {n_nodes:,} nodes"] = centres >= n_nodes
    for what, where in faults.items():
        users = np.flatnonzero(where.any(axis=(1, 2)))
        if len(users):
            raise SubgraphError(f"{path}: the user '{file.users[users[0]]}' has a centre {what}")
