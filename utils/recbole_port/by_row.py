"""Test metrics of every evaluated row, and the ranking behind them, which RecBole averages and drops at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode


@dataclass
class ByRow:
    """Metrics before they are averaged: `values[name]` [n_rows] belongs to the users `users` [n_rows] (RecBole's rows).

    A row is a user of a general model and a target of a sequential one. Empty where RecBole ranks nothing: metrics
    of single ratings (RMSE, AUC ...), and those of the whole list of recommendations, have no value by row.

    metrics: RecBole's metrics of the first k. hits: what they are computed from, [n_rows, k + 1]: whether each ranked
    item is relevant, and how many items are. ranked: the items themselves, [n, k] for each batch. relevant: row and
    item of what is relevant, [2, n] for each batch.
    """

    metrics: Sequence[Any] = ()
    users: list[torch.Tensor] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    hits: torch.Tensor = field(default_factory=lambda: torch.zeros(0, 1, dtype=torch.int64))
    ranked: list[torch.Tensor] = field(default_factory=list)
    relevant: list[torch.Tensor] = field(default_factory=list)

    @property
    def user_rows(self) -> np.ndarray:
        return torch.cat(self.users).numpy() if self.users else np.zeros(0, dtype=np.int64)

    @cached_property
    def ranked_items(self) -> torch.Tensor:
        """The first k items of every row, [n_rows, k]."""
        return torch.cat(self.ranked).cpu()

    @cached_property
    def relevant_items(self) -> torch.Tensor:
        """Row and item of everything relevant, [2, n], each pair once."""
        firsts = np.cumsum([0, *map(len, self.ranked)])
        pairs = [pair + torch.tensor([[first], [0]]) for pair, first in zip(self.relevant, firsts[:-1], strict=True)]
        row, item = torch.cat(pairs, dim=1)
        n_items = int(item.max()) + 1
        keys = torch.unique(row * n_items + item)
        return torch.stack([keys // n_items, keys % n_items])


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
    """Collect the metrics of each row that an evaluation inside the block averages, and the ranking behind them."""
    rows = ByRow([metric for metric in trainer.evaluator.metric_class.values() if "rec.topk" in metric.metric_need])
    trainer.by_row = rows
    try:
        with ExitStack() as stack:
            kept = stack.enter_context(_values_kept(rows.metrics))
            if rows.metrics:
                stack.enter_context(_ranking_kept(trainer.eval_collector, rows))
            yield rows
            rows.values = {name: value for found in kept for name, value in found.at_each_k().items()}
    finally:
        trainer.by_row = None


@dataclass(frozen=True)
class Values:
    """One of RecBole's metrics before it is averaged: `values` [n_rows, k], from @1 to @k."""

    metric: Any
    name: str
    values: np.ndarray

    def averages(self, rows: slice) -> dict[str, float]:
        """RecBole's own averages of these rows, as `ndcg@10`, to its number of decimal places; none of no rows."""
        chosen = self.values[rows]
        if not len(chosen):
            return {}
        return {str(name): float(value) for name, value in self.metric.topk_result(self.name, chosen).items()}

    def at_each_k(self) -> dict[str, np.ndarray]:
        """The values [n_rows] that are reported, as `ndcg@10`."""
        return {f"{self.name}@{k}": np.asarray(self.values[:, k - 1], dtype=np.float64) for k in self.metric.topk}


def values_of(metrics: Sequence[Any], hits: torch.Tensor) -> list[Values]:
    """The metrics of `hits` [n_rows, k + 1], as `ByRow` has them, by RecBole's own code.

    A row's value depends on its own hits only, so equal rows are measured once: RecBole takes row by row in Python.
    """
    from recbole.evaluator.collector import DataStruct

    count = hits[:, -1:].contiguous().numpy().view(np.uint8)
    keys = np.concatenate([np.packbits(hits[:, :-1].numpy().astype(bool), axis=1), count], axis=1)
    _, first, place = np.unique(keys.view(f"V{keys.shape[1]}").ravel(), return_index=True, return_inverse=True)
    struct = DataStruct()
    struct.set("rec.topk", hits[first])
    with _values_kept(metrics) as kept:
        for metric in metrics:
            metric.calculate_metric(struct)
    return [Values(found.metric, found.name, found.values[place]) for found in kept]


@contextmanager
def _values_kept(metrics: Sequence[Any]) -> Iterator[list[Values]]:
    """What these metrics average inside the block."""
    kept: list[Values] = []
    for metric in metrics:
        metric.topk_result = _keeping(kept, metric)
    try:
        yield kept
    finally:
        for metric in metrics:
            del metric.topk_result


def _keeping(kept: list[Values], metric: Any) -> Callable[..., Any]:
    average = metric.topk_result

    def topk_result(name: str, values: np.ndarray) -> Any:
        kept.append(Values(metric, name, values))
        return average(name, values)

    return topk_result


class _LastTopk(TorchFunctionMode):
    """Remembers the indices of the last torch.topk inside the block.

    Ranking once more would take its time again, and may order ties differently on a GPU.
    """

    indices: torch.Tensor

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.topk:
            self.indices = result.indices
        return result


@contextmanager
def _ranking_kept(collector: Any, rows: ByRow) -> Iterator[None]:
    """Of every batch that RecBole's collector is given inside the block, keep in `rows` what it ranks first."""
    collect, finish = collector.eval_batch_collect, collector.get_data_struct

    def eval_batch_collect(scores: torch.Tensor, interaction: Any, positive_u: Any, positive_i: Any) -> None:
        with _LastTopk() as last:
            collect(scores, interaction, positive_u, positive_i)
        rows.ranked.append(last.indices)
        rows.relevant.append(torch.stack([positive_u.cpu(), positive_i.cpu()]))

    def get_data_struct() -> Any:
        struct = finish()
        rows.hits = struct.get("rec.topk")
        return struct

    collector.eval_batch_collect, collector.get_data_struct = eval_batch_collect, get_data_struct
    try:
        yield
    finally:
        del collector.eval_batch_collect, collector.get_data_struct
