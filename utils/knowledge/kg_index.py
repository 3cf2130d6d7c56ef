"""The index of a knowledge graph: what its nodes, its relations and the dataset's items say, as vectors of one file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from utils.context import RunContext
from utils.data.fingerprint import short_hash
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.relations import against, phrase
from utils.data.kg.texts import NodeTexts

if TYPE_CHECKING:
    import torch

    from models.llm.encoder_spec import EncoderSpec
    from utils.retrieval.base import Index, Items

# What makes a file the index of something else, in the words of an error.
_PARTS = {
    "graph_fingerprint": "another graph",
    "links_fingerprint": "other links",
    "encoder_fingerprint": "another encoder",
    "texts_fingerprint": "other texts of entities and items (a train part decides which titles describe an entity)",
}


@dataclass(frozen=True)
class Unencoded:
    """An index before its texts are encoded.

    item_tokens, item_names, popularity, token_order [n_items]: as in `retrieval.base.Items`; a name is empty where an
    item has no title. link_indptr [n_items + 1], link_nodes: the nodes of each item as CSR. texts: of the nodes.
    centres [n] int32: the nodes that may be retrieved.
    """

    graph: KnowledgeGraph
    item_tokens: tuple[str, ...]
    item_names: Sequence[str]
    popularity: np.ndarray
    token_order: np.ndarray
    link_indptr: np.ndarray
    link_nodes: np.ndarray
    texts: NodeTexts
    centres: np.ndarray

    @property
    def relation_texts(self) -> list[str]:
        """[2 * n_relations]: what each says along its direction, then what each says against it."""
        relations = self.graph.relations
        return [*map(phrase, relations), *map(against, relations)]


def open_index(
    ctx: RunContext,
    asked: Unencoded,
    spec: EncoderSpec,
    batch_size: int,
    index_orders: Sequence[int],
    propagation: Literal["mean", "ppr", "none"],
    index_file: str,
    overwrite: bool,
    parameters: Mapping[str, Any],
) -> tuple[Index, dict[str, Any]]:
    """The index, and for the record what went into it; each distinct text is encoded once, as a row of length 1.

    index_file: keeps the vectors by their texts, and is taken as it is where it was made of the same. Order 2 follows
    from these in less time than reading it would take, and is not kept.
    parameters: those that decide what nodes say, by the names a user gives them; they explain why texts differ.
    StepError at `index_file` for a file that holds anything else: it says what differs. With `overwrite` such a file
    is replaced, and texts that it has are not encoded again.
    """
    import torch

    from utils.knowledge.encoding import encode_into
    from utils.retrieval.base import Index
    from utils.retrieval.propagation import propagate

    # Similarity is a product of rows, so rows have length 1 whatever the encoder does of itself.
    spec = replace(spec, normalize=True)
    parts = _fingerprints(asked, spec)
    meta = {"side": "texts", "dataset": ctx.settings["dataset"], "parameters": dict(parameters), **parts}
    distinct = sorted({*asked.texts.texts, *asked.relation_texts, *asked.item_names} - {""})
    started = time.perf_counter()
    made = encode_into(
        ctx,
        ctx.vector_path(index_file),
        dict(zip(distinct, distinct, strict=True)),
        spec,
        batch_size,
        meta,
        "index_file",
        overwrite,
        decides=tuple(_PARTS),
        other=lambda there: _difference(there, meta),
        encoder_parameter="text_encoder",
    )
    encoded = time.perf_counter()
    # An encoder of half precision divides by a length that is right to three digits.
    rows = torch.nn.functional.normalize(made.vectors, dim=1)
    row_of = {text: row for row, text in enumerate(distinct)}
    nodes = _rows(rows, row_of, asked.texts.texts)
    propagated = None
    if 2 in index_orders:
        propagated = nodes if propagation == "none" else propagate(asked.graph.adjacency, nodes, propagation)
    index = Index(
        asked.graph,
        _items(asked, _rows(rows, row_of, asked.item_names)),
        nodes,
        _rows(rows, row_of, asked.relation_texts),
        propagated,
        asked.centres,
        short_hash(parts, sorted(index_orders), propagation if 2 in index_orders else None, _bytes_hash(asked.centres)),
    )
    facts = {
        "node_texts": asked.texts.counts,
        "distinct_texts": len(distinct),
        "texts_encoded": made.encoded,
        "dimension": made.dimension,
        "centres": len(asked.centres),
        "index_kept": made.kept,
        "index_seconds": {
            "encoding": round(encoded - started, 3),
            "propagation": round(time.perf_counter() - encoded, 3),
        },
    }
    return index, facts


def _rows(vectors: torch.Tensor, row_of: Mapping[str, int], texts: Sequence[str]) -> torch.Tensor:
    """[len(texts), dim]: the vector of each text, zero where it is empty."""
    rows = np.fromiter((row_of.get(text, -1) for text in texts), dtype=np.int64, count=len(texts))
    out = vectors[np.maximum(rows, 0)]
    out[rows < 0] = 0
    return out


def _items(asked: Unencoded, vectors: torch.Tensor) -> Items:
    from utils.retrieval.base import Items

    return Items(
        asked.item_tokens,
        vectors,
        np.array([bool(name) for name in asked.item_names], dtype=bool),
        asked.popularity,
        asked.token_order,
        asked.link_indptr,
        asked.link_nodes,
    )


def _fingerprints(asked: Unencoded, spec: EncoderSpec) -> dict[str, str]:
    return {
        "graph_fingerprint": asked.graph.fingerprint,
        "links_fingerprint": short_hash(
            asked.item_tokens, _bytes_hash(asked.link_indptr), _bytes_hash(asked.link_nodes)
        ),
        "encoder_fingerprint": spec.fingerprint(),
        "texts_fingerprint": short_hash(asked.texts.texts, list(asked.item_names), asked.relation_texts),
    }


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What an index that is there was made of, and this one would not be, in words."""
    if not all(part in there for part in _PARTS):
        return "no index of a knowledge graph"
    before, now = there.get("parameters") or {}, here["parameters"]
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    # Other parameters are why texts differ.
    said = [
        words
        for part, words in _PARTS.items()
        if there[part] != here[part] and not (part == "texts_fingerprint" and changed)
    ]
    of = [f"of {' and '.join(said)}"] if said else []
    made = [f"made with {', '.join(f'{name}: {before.get(name)}, not {now.get(name)}' for name in changed)}"]
    return f"an index {', '.join(of + made if changed else of)}"


def _bytes_hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<i8").tobytes()).hexdigest()[:16]
