"""The settings that the checks look at are those that RecBole's own Config makes of a scenario."""

from __future__ import annotations

from typing import Any

import pytest

from utils.recbole_port import known_defaults, known_settings, session
from utils.scenario.settings import effective

# One of each family, and models that RecBole gives defaults of their own.
MODELS = ["NeuMF", "SASRec", "SASRecF", "DeepFM", "KGAT", "DIN", "MultiVAE", "GRU4RecKG", "BERT4Rec", "S3Rec"]
# Set by RecBridge for every run, whatever RecBole's files say.
OURS = {"checkpoint_dir", "data_path", "gpu_id"}


def _spelled(value: Any) -> Any:
    """As Config spells it: every phase of the evaluation with its mode, no negatives in so many words."""
    if isinstance(value, dict) and isinstance(value.get("mode"), str):
        return {**value, "mode": {"valid": value["mode"], "test": value["mode"]}}
    return value


NO_NEGATIVES = {"distribution": "none", "sample_num": "none", "alpha": "none", "dynamic": False, "candidate_num": 0}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni100"}, "epochs": 3},
        {"eval_args": {"mode": "uni100"}, "train_neg_sample_args": {"distribution": "popularity"}},
    ],
    ids=["defaults", "order", "negatives"],
)
@pytest.mark.parametrize("dataset", ["ml-100k", "another"])
@pytest.mark.parametrize("model", MODELS)
def test_it_is_what_recbole_merges(model: str, dataset: str, given: dict[str, Any], tmp_path: Any) -> None:
    settings = {"model": model, "dataset": dataset, **given}
    if known_defaults.defaults(model).get("loss_type") == "CE":
        # RecBole refuses its own default.
        settings["train_neg_sample_args"] = None
    ours = effective(settings)
    config = session.build_config(settings, tmp_path).final_config_dict
    shared = ours.keys() & config.keys() - known_settings.COMPUTED - OURS
    assert {"epochs", "eval_args", "metrics", "topk", "valid_metric", "load_col"} <= shared
    spelled = {key: _spelled(ours[key]) for key in shared}
    spelled["train_neg_sample_args"] = ours["train_neg_sample_args"] or NO_NEGATIVES
    if isinstance(ours.get("additional_feat_suffix"), str):
        spelled["additional_feat_suffix"] = [ours["additional_feat_suffix"]]
    assert spelled == {key: config[key] for key in shared}
    assert not ours.keys() - config.keys() - known_settings.COMPUTED
