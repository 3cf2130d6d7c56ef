"""LLM-KT's loss names as data, and the base class that its users' own losses derive from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from models.losses.base import LOSSES


@dataclass(frozen=True)
class LegacyLoss:
    """What one of LLM-KT's classes computed: a formula on a layer's input or output against one side's vectors.

    rows: what the class took the layer's rows for, whatever else their number would fit.
    """

    formula: str
    side: Literal["users", "items"]
    io: Literal["input", "output"]
    rows: Literal["batch", "table"] = "batch"


# LightGCNUserCosSim is a stub in LLM-KT; LightGCN's propagated embeddings leave no layer, but its forward().
LEGACY_LOSSES: dict[str, LegacyLoss] = {
    "NeumfUserRMSE": LegacyLoss("rmse", "users", "output"),
    "AutoIntUserRMSE": LegacyLoss("rmse", "users", "input"),
    "MultiVAEUserRMSE": LegacyLoss("rmse", "users", "input"),
    "SimpleXUserRMSE": LegacyLoss("rmse", "users", "input"),
    "NGCFUserRMSE": LegacyLoss("rmse", "users", "output", "table"),
    "LightGCNUserCosSim": LegacyLoss("cosine", "users", "output", "table"),
}


class DistilLosses:
    """Base of loss classes written for LLM-KT; they run here unchanged.

    A subclass implements `__call__(hidden_out, interaction)`, where `hidden_out[layer]['input' | 'output']` is
    the list of a layer's calls, and finds `self.model` (with `config` and `dataset`), `self.llm_user_emb`
    [n_users, dim] and `self.llm_item_emb` [n_items, dim] in RecBole's row order, row 0 all zero.
    """

    def __init__(
        self, model: Any, llm_users_emb_file: str | None = None, llm_items_emb_file: str | None = None
    ) -> None:
        self.model = model
        self.llm_config = model.config["llm_config"]
        self.llm_users_emb_file = llm_users_emb_file
        self.llm_items_emb_file = llm_items_emb_file
        self.llm_user_emb: torch.Tensor | None = model.llm_user_emb
        self.llm_item_emb: torch.Tensor | None = model.llm_item_emb
        self.particular = False

    def set_particular(self, if_particular: bool) -> None:
        """Compare only the first columns of a wider layer."""
        self.particular = if_particular

    def _get_part(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return student[:, : teacher.shape[1]] if self.particular else student

    def mse(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """`mse` of the two, [n, dim]."""
        return LOSSES.get("mse")(self._get_part(student, teacher), teacher)

    def rmse(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """`rmse` of the two, [n, dim]."""
        return LOSSES.get("rmse")(self._get_part(student, teacher), teacher)

    def cossim(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """`cosine` distance of the two, [n, dim]; LLM-KT's own version used undefined names."""
        return LOSSES.get("cosine")(self._get_part(student, teacher), teacher)

    def __call__(self, hidden_out: dict[Any, dict[str, list[Any]]], interaction: Any) -> torch.Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no __call__(hidden_out, interaction)")
