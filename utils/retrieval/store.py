"""Subgraph files: the centres that each user's history asked for, from which subgraphs grow again at any time.

A file is written by `torch.save` as plain types only and read with `weights_only=True`. A user, and a sample as well,
takes 4 bytes for a centre and 4 for its score, whatever the size of the subgraphs: 40 bytes of centres for two orders
of 5. `utils.retrieval.store_checks` says what a file may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils.data.torch_files import load_plain, save_plain
from utils.retrieval.base import Retrieved
from utils.retrieval.store_checks import faults

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
_OF_A_SAMPLE: dict[str, type] = {
    "users": list,
    "targets": torch.Tensor,
    "histories": torch.Tensor,
    "centres": torch.Tensor,
    "scores": torch.Tensor,
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
    content = {
        "users": list(file.users),
        **asdict(file.retrieved),
        **_tensors(file.retrieved, "centres", "scores"),
        "max_neighbors": file.max_neighbors,
        "fingerprint": file.fingerprint,
        "meta": file.meta,
        "samples": {
            split: {
                "users": list(own.users),
                **_tensors(own, "targets", "histories"),
                **_tensors(own.retrieved, "centres", "scores"),
            }
            for split, own in file.samples.items()
        },
    }
    save_plain(path, content)


def read_subgraphs(path: Path, n_nodes: int | None = None, n_items: int | None = None) -> SubgraphFile:
    """Read a file; SubgraphError for a missing, unsafe, misshapen or contradictory one.

    n_nodes: of the graph that the centres are looked up in, n_items: of the dataset, where they are known.
    """
    content = load_plain(path, SubgraphError)
    if not isinstance(content, dict):
        raise SubgraphError(f"{path} holds {type(content).__name__}, not subgraphs")
    _check_kinds(path, content, _KINDS, "", "; it is no file of subgraphs")
    # A file from before there were samples holds none.
    parts = content.get("samples", {})
    _check_kinds(path, {"samples": parts}, {"samples": dict})
    shared = (content["orders"], content["expansion"], content["hops"])
    samples = {}
    for split, own in parts.items():
        _check_kinds(path, {f"{split} samples": own}, {f"{split} samples": dict})
        _check_kinds(path, own, _OF_A_SAMPLE, f" of {split} samples")
        of_split = Retrieved(own["centres"].numpy(), own["scores"].numpy(), *shared)
        targets, histories = own["targets"].numpy(), own["histories"].numpy()
        samples[split] = SampleSubgraphs(tuple(own["users"]), targets, histories, of_split)
    retrieved = Retrieved(content["centres"].numpy(), content["scores"].numpy(), *shared)
    file = SubgraphFile(
        tuple(content["users"]), retrieved, content["max_neighbors"], content["fingerprint"], content["meta"], samples
    )
    _check(path, file, n_nodes, n_items)
    return file


def _check(path: Path, file: SubgraphFile, n_nodes: int | None = None, n_items: int | None = None) -> None:
    for fault in faults(file, n_nodes, n_items):
        raise SubgraphError(f"{path}{fault}")


def _tensors(of: Any, *names: str) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(getattr(of, name)) for name in names}


def _check_kinds(
    path: Path, content: Mapping[str, Any], kinds: Mapping[str, type], where: str = "", so: str = ""
) -> None:
    """SubgraphError for what is missing in `content`, and for what is of another type."""
    for name, kind in kinds.items():
        if name not in content:
            raise SubgraphError(f"{path} holds no {name}{where}{so}")
        if type(content[name]) is not kind:
            found = type(content[name]).__name__
            raise SubgraphError(f"{path}: its {name}{where} are {found}, not {kind.__name__}")
