"""The state of a run: loaded once, in step with the settings."""

from __future__ import annotations

import pytest

from tests.workspace import Workspace
from utils.scenario.errors import StepError


def test_data_and_config_are_made_once(workspace: Workspace) -> None:
    ctx = workspace.context()
    assert ctx.data is ctx.data
    assert ctx.recbole_config() is ctx.recbole_config()
    assert ctx.train_fingerprint == ctx.train_fingerprint


def test_the_weight_has_a_default_where_none_is_given(workspace: Workspace) -> None:
    weights = [workspace.context(**given).transfer_weight for given in ({}, {"distil_loss_weight": None})]
    assert weights == [0.5, 0.5]
    assert workspace.context(distil_loss_weight=0).transfer_weight == 0


def test_settings_that_recbole_refuses_are_said_in_its_words(workspace: Workspace) -> None:
    ctx = workspace.context(model="SASRec", train_neg_sample_args={"distribution": "uniform"})
    with pytest.raises(StepError, match="RecBole refuses these settings: train_neg_sample_args"):
        ctx.recbole_config()


def test_the_record_says_how_it_was_measured(workspace: Workspace) -> None:
    ctx = workspace.context()
    assert ctx.data.dataset.user_num == 31
    assert ctx.record.protocol["eval_args"] == {
        "split": {"LS": "valid_and_test"},
        "order": "TO",
        "group_by": "user",
        "mode": {"valid": "full", "test": "full"},
    }
    assert (ctx.record.protocol["model_type"], ctx.record.protocol["valid_metric"]) == ("general", "NDCG@5")
