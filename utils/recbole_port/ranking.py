"""Full ranking in large blocks: as many rows at once as a bound on memory allows, whatever the model.

RecBole ranks `eval_batch_size // n_items` users of a general model at a time, 2 by default on ml-100k, and a model
without `full_sort_predict` by 4,096 pairs. Here a batch of the loader is many users, and the trainer divides it
into blocks whose size is measured: what a few rows allocate tells how many rows fit the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# What one call of the model may allocate in all, as if nothing were freed before its end.
BLOCK_BYTES = 2**27
_PROBE_ROWS = 3

Scores = Callable[[Any], torch.Tensor]


class _Allocated(TorchDispatchMode):
    """Adds up the bytes of all tensors that operations return."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided:
                self.bytes += tensor.numel() * tensor.element_size()
        return result


def bytes_per_row(score: Scores, rows: Any) -> float:
    """What `score` allocates for one more row of an interaction; what it allocates anyway does not count."""
    several = rows[:1].repeat(_PROBE_ROWS)
    allocated = []
    for few in (rows[:1], several):
        with _Allocated() as seen:
            score(few)
        allocated.append(seen.bytes)
    return max((allocated[1] - allocated[0]) / (_PROBE_ROWS - 1), 1.0)


def in_blocks(score: Scores, rows: Any, at_once: int) -> torch.Tensor:
    """Scores of all rows of an interaction, `at_once` rows in a call; a single number counts as one."""
    parts = [score(rows[start : start + at_once]).reshape(-1) for start in range(0, len(rows), at_once)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


class BlockRanking:
    """Mixin for RecBole's trainers: scores of a batch of full ranking, block by block."""

    def __init__(self: Any, config: Any, model: Any) -> None:
        super().__init__(config, model)  # type: ignore[call-arg]
        # Measured at the first batch: rows per call, or pairs where the model scores pairs.
        self._rows_at_once: int | None = None
        self._pairs_at_once: int | None = None

    def _full_sort_batch_eval(self: Any, batched_data: Any) -> Any:
        interaction, seen, positive_u, positive_i = batched_data
        rows = interaction.to(self.device)
        scores = self._scores_of_all(rows).view(-1, self.tot_item_num)
        scores[:, 0] = -torch.inf
        if seen is not None:
            scores[seen] = -torch.inf
        return interaction, scores, positive_u, positive_i

    def _scores_of_all(self: Any, rows: Any) -> torch.Tensor:
        """Scores [rows * n_items] of every item for every row."""
        if self._rows_at_once is None:
            self._rows_at_once, self._pairs_at_once = self._measure(rows)
        if self._rows_at_once:
            return in_blocks(self.model.full_sort_predict, rows, self._rows_at_once)
        users = max(self._pairs_at_once // self.tot_item_num, 1)
        return torch.cat([self._scores_by_pair(rows[start : start + users]) for start in range(0, len(rows), users)])

    def _scores_by_pair(self: Any, rows: Any) -> torch.Tensor:
        """The same by `predict`, which is given each row with each item."""
        pairs = rows.repeat_interleave(self.tot_item_num)
        pairs.update(self.item_tensor.repeat(len(rows)))
        return in_blocks(self.model.predict, pairs, self._pairs_at_once)

    def _measure(self: Any, rows: Any) -> tuple[int, int]:
        """(rows per call of `full_sort_predict`, 0 where there is none; pairs per call of `predict`)."""
        from utils.recbole_port.session import kept_random_state

        # Some models draw as they predict; the measuring must not be seen in what they draw.
        with kept_random_state():
            try:
                # What is computed once for all rows (LightGCN's propagation) is then there.
                self.model.full_sort_predict(rows[:1])
            except NotImplementedError:
                pairs = rows[:1].repeat_interleave(self.tot_item_num)
                pairs.update(self.item_tensor)
                wide = sum(bytes_of(column) for column in pairs.interaction.values()) / len(pairs)
                return 0, max(int(BLOCK_BYTES / (bytes_per_row(self.model.predict, pairs) + wide)), 1)
            return max(int(BLOCK_BYTES / bytes_per_row(self.model.full_sort_predict, rows)), 1), 0


def bytes_of(tensor: torch.Tensor) -> int:
    """How much memory the values of a tensor take."""
    return tensor.numel() * tensor.element_size()
