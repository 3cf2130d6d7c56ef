"""The items that a trained recommender ranks first for each user, of all that the user has not seen."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch

from models.transfer.untouched import untouched
from utils.recbole_port.session import Data, kept_random_state
from utils.recbole_port.training import best_model_file


class TopItemsError(ValueError):
    """A recommender that has no such list for every user."""


@dataclass(frozen=True)
class TopItems:
    """The n best items of each of S rows, the best one first.

    users [S]: tokens, in RecBole's order; each once, but of a sequential model once for each target of the part.
    items [S, n] int32: rows of items without padding, RecBole's row less 1. scores [S, n] float32, falling; of items
    with the same score the lower row comes first.
    """

    users: tuple[str, ...]
    items: np.ndarray
    scores: np.ndarray


def top_items(
    trainer: Any, data: Data, part: Literal["valid", "test"], n: int, show_progress: bool = False
) -> TopItems:
    """The `n` best items for the users of a part, by the best model of this training, as `training.test` takes it.

    All items are ranked, whatever `eval_args.mode` and `filter_seen` say, but those that the user has seen: in the
    train part, for the test in the valid part too, for a sequential model also in the row's own history. As in every
    ranking here, a target that has been seen before stays. Trainer, model and random generators are left as they were.
    TopItemsError where the part is empty, where a user has fewer than `n` items left, and where a score is NaN.
    """
    loader = _loader(trainer.config, data, part)
    first = _FirstItems(trainer.config["USER_ID_FIELD"], n)
    best = best_model_file(trainer) is not None
    with kept_random_state(), untouched(trainer.model), _kept(trainer):
        # RecBole knows how many items there are only where it is to rank them.
        stand_ins = {"eval_collector": first, "evaluator": first, "tot_item_num": data.dataset.item_num}
        vars(trainer).update(stand_ins)
        trainer.evaluate(loader, load_best_model=best, show_progress=show_progress)
    users, items, scores, left = (torch.cat(column) for column in zip(*first.batches, strict=True))
    tokens = data.dataset.field2id_token[trainer.config["USER_ID_FIELD"]]
    if int(left.min()) < n:
        fewest = int(left.argmin())
        user, has = tokens[users[fewest]], int(left[fewest])
        raise TopItemsError(
            f"user {str(user)!r} has only {has} items left that were not seen before; the first {n} are asked for, "
            f"accepted are {has} at most"
        )
    if bool(scores.isnan().any()):
        name = tokens[users[scores.isnan().any(dim=1)][0]]
        raise TopItemsError(f"{trainer.config['model']} gives NaN as a score for user {str(name)!r}; train it again")
    # A sequential part lies in order of time.
    order = users.argsort(stable=True)
    rows = (items[order] - 1).numpy().astype(np.int32)
    return TopItems(tuple(str(token) for token in tokens[users[order]]), rows, scores[order].numpy())


def _loader(config: Any, data: Data, part: Literal["valid", "test"]) -> Any:
    """A full ranking of the part without seen items, whatever the run's own loader of it ranks."""
    from utils.recbole_port.ranking_loader import RankingLoader, seen_before

    dataset = getattr(data, part)._dataset
    if not len(dataset):
        raise TopItemsError(f"the split has no {part} part (eval_args.split)")
    train, valid = data.full_train._dataset, data.valid._dataset
    seen = seen_before([train] if part == "valid" else [train, valid])
    filtering = copy.copy(config)
    filtering.final_config_dict = {**config.final_config_dict, "filter_seen": True}
    # The loader sorts what it is given by user. What was seen it is told, and so it need not ask a sampler.
    sampler = SimpleNamespace(used_ids=defaultdict(set))
    return RankingLoader(filtering, dataset.copy(dataset.inter_feat[:]), sampler, seen)


@contextmanager
def _kept(trainer: Any) -> Iterator[None]:
    """Give a trainer its own attributes back."""
    before = dict(vars(trainer))
    try:
        yield
    finally:
        vars(trainer).clear()
        vars(trainer).update(before)


class _FirstItems:
    """Stands in for RecBole's collector and evaluator: keeps what each batch ranks first, and measures nothing.

    batches: of each one RecBole's user rows [rows], items and scores [rows, n], and how many could be ranked [rows].
    """

    def __init__(self, user_field: str, n: int) -> None:
        self._user_field, self._n = user_field, n
        self.batches: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def eval_batch_collect(self, scores: torch.Tensor, interaction: Any, *targets: torch.Tensor) -> None:
        best, items = _first(scores, self._n)
        # Left out is what has -inf, RecBole's padding among it.
        left = (scores != -torch.inf).sum(dim=1)
        users = interaction[self._user_field]
        self.batches.append((users.cpu(), items.cpu(), best.float().cpu(), left.cpu()))

    def model_collect(self, model: Any) -> None:
        """Nothing of the model itself is measured."""

    def get_data_struct(self) -> None:
        """There is nothing to measure."""

    def evaluate(self, struct: None) -> dict[str, float]:
        return {}


def _first(scores: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The n largest of each row of scores [rows, m], falling, and their columns; of equal ones the lower column first.

    All m where there are no more.
    """
    best, columns = scores.topk(min(n + 1, scores.shape[1]), dim=1)
    # topk takes any of the equals, and the place after the n-th may hold one of them.
    tied = (best[:, 1:] == best[:, :-1]).any(dim=1)
    if bool(tied.any()):
        columns[tied] = scores[tied].sort(dim=1, descending=True, stable=True).indices[:, : columns.shape[1]]
    return best[:, :n], columns[:, :n]
