"""Models small enough to compute by hand, and batches as RecBole gives them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from models.transfer.rows import IdFields
from models.transfer.teachers import Side, Teacher

FIELDS = IdFields("user_id", "item_id", "neg_item_id", "item_id_list", n_users=6, n_items=9)


class Batch:
    """RecBole's Interaction, as far as a loss looks at it."""

    def __init__(self, **columns: list[Any]) -> None:
        self.interaction = {name: torch.tensor(values) for name, values in columns.items()}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.interaction[name]


def pairs(users: list[int], items: list[int], negatives: list[int] | None = None) -> Batch:
    """A pointwise batch, or a pairwise one where negatives are given."""
    columns = {"user_id": users, "item_id": items}
    return Batch(**columns, **({} if negatives is None else {"neg_item_id": negatives}))


class Recommender(nn.Module):
    """Users and items in two dimensions: a pairwise model with layers, methods and tables to tap."""

    USER_ID, ITEM_ID, NEG_ITEM_ID = "user_id", "item_id", "neg_item_id"

    def __init__(self, n_users: int = FIELDS.n_users, n_items: int = FIELDS.n_items, width: int = 2) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.user_embedding = nn.Embedding(n_users, width)
        self.item_embedding = nn.Embedding(n_items, width)
        self.layer = nn.Linear(width, width, bias=False)
        self.unused = nn.Linear(width, width)
        with torch.no_grad():
            # User u is (u, 0), item i is (0, i), and the layer doubles.
            for table, column in ((self.user_embedding, 0), (self.item_embedding, 1)):
                table.weight.zero_()
                table.weight[:, column] = torch.arange(len(table.weight))
            self.layer.weight.copy_(2 * torch.eye(width))

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.user_embedding.weight, self.item_embedding.weight

    def stacked(self) -> torch.Tensor:
        return torch.cat([self.user_embedding.weight, self.item_embedding.weight])

    def forward(self, user: torch.Tensor, item: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layer(self.user_embedding(user)), self.items_of(item)

    def items_of(self, item: torch.Tensor) -> torch.Tensor:
        return self.item_embedding(item)

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        self.tables()
        self.stacked()
        users, items = self.forward(interaction["user_id"], interaction["item_id"])
        loss = (users * items).sum() + 1.0
        if "neg_item_id" in interaction.interaction:
            loss = loss + self.items_of(item=interaction["neg_item_id"]).sum()
        return loss

    def with_parts(self) -> Recommender:
        """The same with a loss of three parts, as NCL has."""
        whole = self.calculate_loss
        self.calculate_loss = lambda batch: (whole(batch), torch.tensor(10.0), torch.tensor(100.0))
        return self


def teacher(side: Side = "users", width: int = 2, without: tuple[int, ...] = (), value: float = 1.0) -> Teacher:
    """Vectors that are `value` everywhere, but for padding and the rows of `without`."""
    rows = FIELDS.count(side)
    present = torch.tensor([row != 0 and row not in without for row in range(rows)])
    vectors = torch.full((rows, width), value) * present.unsqueeze(1)
    return Teacher(side, vectors, present, f"{side}{width}.pt")
