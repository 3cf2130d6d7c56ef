"""Vectors without their knowledge, to tell what they say from what any vectors in their place would do."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn import functional

from models.transfer.teachers import Teacher


def random_directions(teacher: Teacher, seed: int) -> Teacher:
    """Every vector [dim] in a direction of its own, drawn evenly from the sphere, and as long as it was."""
    drawn = torch.randn(teacher.vectors.shape, generator=_generator(teacher, seed))
    lengths = teacher.vectors.norm(dim=1, keepdim=True)
    # A row of zeros, padding among them, stays one.
    vectors = lengths * functional.normalize(drawn, dim=1).to(teacher.vectors)
    return replace(teacher, vectors=vectors, control="random")


def shuffled(teacher: Teacher, seed: int) -> Teacher:
    """The same vectors [n_rows, dim] with other owners: no row that has one keeps its own, if there are two.

    The permutation is one cycle through all rows with a vector, drawn evenly (Sattolo 1986).
    """
    rows = teacher.present.nonzero().squeeze(1)
    order = rows[torch.randperm(len(rows), generator=_generator(teacher, seed)).to(rows.device)]
    vectors = teacher.vectors.clone()
    vectors[order] = teacher.vectors[order.roll(1)]
    return replace(teacher, vectors=vectors, control="shuffled")


def _generator(teacher: Teacher, seed: int) -> torch.Generator:
    """Users and items are drawn apart: with one seed for both, user 5 and item 5 would get the same direction."""
    return torch.Generator().manual_seed(2 * seed + (teacher.side == "items"))
