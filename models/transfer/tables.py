"""The tables of a model that hold one row per user or item, and what they start from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from models.transfer.layers import LayerError, layers, select
from models.transfer.rows import IdFields
from models.transfer.teachers import Side, Teacher


@dataclass(frozen=True)
class Table:
    """An embedding table by its path in the model."""

    path: str
    module: nn.Embedding


def named_table(model: nn.Module, name: int | str, side: Side, fields: IdFields) -> Table:
    """The table of that name or number; LayerError where it is none of this side's."""
    found = select(model, [name])
    if len(found) != 1:
        raise LayerError(f"'{name}' selects {len(found)} layers; name one table")
    (layer,) = found
    mine, others = fields.count(side), fields.n_users + fields.n_items - fields.count(side)
    if hasattr(model.get_submodule(layer.path.rpartition(".")[0]), "offsets"):
        raise LayerError(f"'{name}' holds all fields of the data one after another, not {side} alone")
    # BERT4Rec's has a row more, for its mask; the entities of a knowledge graph begin with the items.
    known = {mine, mine + 1} | ({getattr(model, "n_entities", mine)} if side == "items" else set())
    rows = layer.module.num_embeddings if isinstance(layer.module, nn.Embedding) else None
    if not isinstance(layer.module, nn.Embedding) or (rows not in known and rows != others):
        raise LayerError(f"'{name}' is no table of the {mine} {side}: {layer.line().strip()}")
    if layer.module.num_embeddings == others != mine:
        raise LayerError(
            f"'{name}' has {others} rows, a table of the other side, it seems, and not of the {mine} {side}"
        )
    return Table(layer.path, layer.module)


def only_table(model: nn.Module, side: Side, fields: IdFields) -> Table:
    """The one table that has as many rows as there are users or items; LayerError where there is none, or several."""
    rows = fields.count(side)
    tables = [
        Table(layer.path, layer.module)
        for layer in layers(model)
        if isinstance(layer.module, nn.Embedding) and layer.module.num_embeddings == rows
    ]
    kind = type(model).__name__
    if not tables:
        raise LayerError(f"{kind} has no table of {rows} {side}; name it (see info)")
    names = ", ".join(table.path for table in tables)
    if len(tables) > 1:
        raise LayerError(f"{kind} has {len(tables)} tables of {side} and their padding ({names}); say which")
    if fields.n_users == fields.n_items:
        raise LayerError(f"{kind} has one table of {rows} rows ({names}), but as many users as items; say whose it is")
    return tables[0]


def start_from(table: nn.Embedding, teacher: Teacher, scaled: bool, frozen: bool) -> float:
    """Put a teacher's vectors [n_rows, dim] into a table [n_rows, dim]; returns what they were multiplied with.

    scaled: their mean length becomes that of the rows they replace, so that nothing else has to be tuned anew. Rows
    without a vector, and the padding, keep their start. frozen: the table is not trained.
    """
    rows = teacher.present.nonzero().squeeze(1).to(table.weight.device)
    vectors = teacher.vectors[teacher.present].to(table.weight)
    factor = 1.0
    if scaled and (length := float(vectors.norm(dim=1).mean())) > 0:
        factor = float(table.weight.detach()[rows].norm(dim=1).mean()) / length
    with torch.no_grad():
        table.weight[rows] = factor * vectors
    if frozen:
        table.weight.requires_grad_(False)
    return factor
