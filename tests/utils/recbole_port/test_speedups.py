"""The list of speed-ups: each with a name, applied once, the anomaly detection of RecBole's SINE among them."""

from __future__ import annotations

import pytest
import torch

from utils.recbole_port.speedups import SPEEDUPS, apply_speedups


def test_the_names_are_all_there_is() -> None:
    names = [speedup.name for speedup in SPEEDUPS]
    assert names == ["anomaly_detection", "reader", "sampling", "sampled_evaluation", "histories", "adjacency"]


def test_nothing_looks_for_nan_in_every_backward_pass() -> None:
    apply_speedups()
    assert not torch.is_anomaly_enabled()


def test_they_are_applied_once() -> None:
    apply_speedups()
    from recbole.data.dataloader import NegSampleEvalDataLoader

    before = NegSampleEvalDataLoader.collate_fn
    apply_speedups()
    assert NegSampleEvalDataLoader.collate_fn is before


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no such speed-up: sampler"):
        apply_speedups(skip=["sampler"])
