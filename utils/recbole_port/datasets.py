"""RecBole's datasets as a run uses them: time to the second, windows where they are asked for, loaders for both.

RecBole keeps timestamps in float32, whose steps are 64 seconds for dates before 2004 and 128 after: on ml-100k that
changes the order of 908 of 943 users and 149 test items (issues 1653 and 2204 of RecBole). Here they are float64,
and every sort by time is stable: interactions of the same second stay in the order of the file.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch

from utils.recbole_port.ranking_loader import RankingLoader, seen_before
from utils.recbole_port.train_rows import is_windowed
from utils.recbole_port.windows import WindowDataLoader, WindowRows, holds_windows

_CLASSES = {"SEQUENTIAL": "SequentialDataset", "KNOWLEDGE": "KnowledgeBasedDataset"}


class ExactTime:
    """Mixin for RecBole's datasets: the time field in float64 until a batch is taken.

    Batches hold it in float32, as models of RecBole expect their numbers, unless the model's class says
    `exact_time = True`.
    """

    def _dataframe_to_interaction(self: Any, data: Any) -> Any:
        rounded = super()._dataframe_to_interaction(data)  # type: ignore[misc]
        if self.time_field in data and rounded[self.time_field].dtype == torch.float32:
            values = data[self.time_field].to_numpy()
            whole = values.tolist() if values.dtype == object else values
            rounded[self.time_field] = torch.as_tensor(whole, dtype=torch.float64)
        return rounded

    def _remove_duplication(self: Any) -> None:
        """RecBole's removal of repeated (user, item) pairs, whose sort by time is not stable."""
        keep = self.config["rm_dup_inter"]
        if keep is not None and self.time_field in self.inter_feat:
            self._check_field("uid_field", "iid_field")
            self.inter_feat = self.inter_feat.sort_values(by=[self.time_field], kind="stable")
            self.inter_feat = self.inter_feat.drop_duplicates(subset=[self.uid_field, self.iid_field], keep=keep)
        else:
            super()._remove_duplication()  # type: ignore[misc]

    def __getitem__(self: Any, index: Any, join: bool = True) -> Any:
        batch = super().__getitem__(index, join)  # type: ignore[misc]
        if not self.config["exact_time"]:
            for field in (self.time_field, getattr(self, f"{self.time_field}_list_field", None)):
                if field in batch:
                    batch[field] = batch[field].float()
        return batch


def dataset_class(config: Any) -> type:
    """RecBole's dataset for this model, with exact time, and with windows where the run trains on them."""
    module = importlib.import_module("recbole.data.dataset")
    general = _CLASSES.get(config["MODEL_TYPE"].name, "Dataset")
    theirs = getattr(module, f"{config['model']}Dataset", getattr(module, general))
    mixins = (WindowRows, ExactTime) if is_windowed(config["train_rows"]) else (ExactTime,)
    return type(theirs.__name__, (*mixins, theirs), {"__module__": __name__})


def make_loaders(config: Any, dataset: Any, parts: list[Any]) -> tuple[Any, Any, Any]:
    """Loaders over the parts that `dataset.build()` gives, as `recbole.data.data_preparation` makes them."""
    from recbole.data.dataloader import KnowledgeBasedDataLoader
    from recbole.data.utils import create_samplers, get_dataloader
    from recbole.sampler import KGSampler

    train, valid, test = parts
    for_train, for_valid, for_test = create_samplers(config, dataset, parts)
    loader = WindowDataLoader if holds_windows(train) else get_dataloader(config, "train")
    if issubclass(loader, KnowledgeBasedDataLoader):
        negatives = config["train_neg_sample_args"]
        entities = KGSampler(dataset, negatives["distribution"], negatives["alpha"])
        train_data = loader(config, train, for_train, entities, shuffle=True)
    else:
        train_data = loader(config, train, for_train, shuffle=config["shuffle"])
    valid_data = _for_evaluation(config, "valid", valid, for_valid, [train])
    return train_data, valid_data, _for_evaluation(config, "test", test, for_test, [train, valid])


def _for_evaluation(config: Any, phase: str, dataset: Any, sampler: Any, earlier: list[Any]) -> Any:
    """The loader of one part; `earlier` are the parts that its users have seen by then."""
    from recbole.data.dataloader import FullSortEvalDataLoader
    from recbole.data.utils import get_dataloader

    loader = get_dataloader(config, phase)
    if loader is not FullSortEvalDataLoader:
        return loader(config, dataset, sampler, shuffle=False)
    # Otherwise RecBole's loader itself knows what was seen; with `repeatable` it takes nothing for seen.
    by_history = config["filter_seen"] and config["repeatable"]
    return RankingLoader(config, dataset, sampler, seen_before(earlier) if by_history else None)
