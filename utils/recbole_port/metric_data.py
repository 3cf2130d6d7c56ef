"""Metrics of coverage and popularity, which RecBole itself cannot measure.

They need counts of the train data. RecBole's collector moves whatever it has collected to the CPU, counts among it,
and asks every train loader for its `dataset`, which the loaders of knowledge graphs do not have.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch


def with_counts(collected: Callable[..., Any]) -> Callable[..., Any]:
    """RecBole's `get_data_struct`, with what is no tensor kept from it and added to what it returns."""

    def get_data_struct(self: Any) -> Any:
        data = self.data_struct._data_dict
        counts = {name: data.pop(name) for name in list(data) if not torch.is_tensor(data[name])}
        found = collected(self)
        data.update(counts)
        found._data_dict.update(counts)
        return found

    return get_data_struct


def of_any_loader(collect: Callable[..., None]) -> Callable[..., None]:
    """RecBole's `data_collect`, for loaders that only have a `_dataset` as well."""

    def data_collect(self: Any, train_data: Any) -> None:
        collect(self, SimpleNamespace(dataset=train_data._dataset))

    return data_collect


def keep_counts() -> None:
    """Make the collector of RecBole's trainers take counts, from any loader."""
    from recbole.evaluator import Collector

    Collector.get_data_struct = with_counts(Collector.get_data_struct)
    Collector.data_collect = of_any_loader(Collector.data_collect)
