"""Test metrics of every evaluated row, which RecBole computes and averages at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass
class ByRow:
    """Metrics before they are averaged: `values[name]` [n_rows] belongs to the users `users` [n_rows] (RecBole's rows).

    A row is a user of a general model and a target of a sequential one. Empty where RecBole ranks nothing: metrics
    of single ratings (RMSE, AUC ...), and those of the whole list of recommendations, have no value by row.
    """

    users: list[torch.Tensor] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def user_rows(self) -> np.ndarray:
        return torch.cat(self.users).numpy() if self.users else np.zeros(0, dtype=np.int64)


class RowsOfUsers:
    """Mixin for RecBole's trainers: while `by_row` is set, it is told whose each row of scores is."""

    by_row: ByRow | None = None

    def _full_sort_batch_eval(self: Any, batched_data: Any) -> Any:
        if self.by_row is not None:
            self.by_row.users.append(batched_data[0][self.config["USER_ID_FIELD"]].cpu())
        return super()._full_sort_batch_eval(batched_data)  # type: ignore[misc]

    def _neg_sample_batch_eval(self: Any, batched_data: Any) -> Any:
        if self.by_row is not None and batched_data[1] is not None:
            interaction, row_of_candidate = batched_data[:2]
            candidates = interaction[self.config["USER_ID_FIELD"]].cpu()
            users = candidates.new_zeros(int(row_of_candidate.max()) + 1)
            users[row_of_candidate.cpu()] = candidates
            self.by_row.users.append(users)
        return super()._neg_sample_batch_eval(batched_data)  # type: ignore[misc]


@contextmanager
def watched(trainer: Any) -> Iterator[ByRow]:
    """Collect the metrics of each row that an evaluation inside the block averages."""
    rows = ByRow()
    ranked = [metric for metric in trainer.evaluator.metric_class.values() if "rec.topk" in metric.metric_need]
    for metric in ranked:
        metric.topk_result = _kept(rows, metric)
    trainer.by_row = rows
    try:
        yield rows
    finally:
        trainer.by_row = None
        for metric in ranked:
            del metric.topk_result


def _kept(rows: ByRow, metric: Any) -> Any:
    average = metric.topk_result

    def topk_result(name: str, value: np.ndarray) -> Any:
        rows.values.update({f"{name}@{k}": np.asarray(value[:, k - 1], dtype=np.float64) for k in metric.topk})
        return average(name, value)

    return topk_result
