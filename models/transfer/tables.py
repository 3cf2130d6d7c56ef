"""The tables of a model that hold one row per user or item, and what they start from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from models.transfer.layers import Layer, LayerError, layers, select
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
    table = _table(found[0], side, fields, exact=False)
    if table is None:
        raise LayerError(f"'{name}' is no table of the {fields.count(side)} {side}: {found[0].line().strip()}")
    return table


def only_table(model: nn.Module, side: Side, fields: IdFields) -> Table:
    """The one table that has as many rows as there are users or items; LayerError where there is none, or several."""
    found = [table for layer in layers(model) if (table := _table(layer, side, fields, exact=True)) is not None]
    if len(found) == 1 and fields.n_users != fields.n_items:
        return found[0]
    if not found:
        raise LayerError(f"{type(model).__name__} has no table of {fields.count(side)} {side}; name it (see info)")
    names = ", ".join(table.path for table in found)
    raise LayerError(
        f"{type(model).__name__} has {len(found)} tables of {fields.count(side)} rows ({names}); say which"
    )


def _table(layer: Layer, side: Side, fields: IdFields, exact: bool) -> Table | None:
    module, rows = layer.module, fields.count(side)
    if not isinstance(module, nn.Embedding):
        return None
    # BERT4Rec's table has a row more than there are items, for its own mask.
    fits = module.num_embeddings == rows if exact else module.num_embeddings >= rows
    return Table(layer.path, module) if fits else None


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
    table.weight.requires_grad_(not frozen)
    return factor
