from __future__ import annotations

from collections import Counter

import pytest

from utils.recbole_port import known_defaults, known_models, known_settings
from utils.scenario.by_default import misfit, schema_of

RECBOLE = {name: model for name, model in known_models.models().items() if model.family != "own"}


def test_it_finds_the_94_models_of_recbole():
    assert Counter(model.family for model in RECBOLE.values()) == {
        "general": 33,
        "sequential": 31,
        "context": 18,
        "knowledge": 10,
        "exlib": 2,
    }


def test_a_model_reads_its_own_settings_and_not_those_of_others():
    neumf = known_settings.settings_of("NeuMF")
    assert {"mf_embedding_size", "mlp_embedding_size", "mlp_hidden_size", "dropout_prob", "epochs"} <= neumf
    assert "embedding_size" not in neumf
    assert "latent_dimension" not in neumf


def test_a_model_reads_what_its_parent_reads():
    # LDiffRec derives from DiffRec, whose settings stand in another file.
    assert "noise_schedule" in known_settings.settings_of("DiffRec")
    assert "noise_schedule" in known_settings.settings_of("LDiffRec")


def test_of_an_unknown_model_only_the_general_settings_are_known():
    assert "epochs" in known_settings.settings_of("Nothing")
    assert "latent_dimension" not in known_settings.settings_of("Nothing")


def test_it_says_which_models_read_a_setting():
    assert known_settings.readers_of("latent_dimension") == ["MultiDAE", "MultiVAE", "RaCT", "RecVAE"]
    assert known_settings.readers_of("latent_dimendion") == []


@pytest.mark.parametrize("name", sorted(RECBOLE))
def test_every_default_of_a_model_is_known_and_fits_its_own_type(name):
    for setting, default in known_defaults.own_defaults(name).items():
        assert setting in known_settings.settings_of(name) | known_settings.COMPUTED
        assert default is None or not misfit(schema_of(name, setting, default), default), setting


def test_what_recbole_computes_is_no_setting_of_any_model():
    assert {"MODEL_TYPE", "device", "eval_type"} <= known_settings.COMPUTED
    for name in RECBOLE:
        assert not known_settings.settings_of(name) & known_settings.COMPUTED


def test_what_is_refused_says_why():
    assert known_settings.REFUSED["save_dataset"] == "RecBole pickles the dataset; use the command 'save_datasets'"
    assert all(reason for reason in known_settings.REFUSED.values())


@pytest.mark.parametrize(
    ("model", "dataset", "setting", "value"),
    [
        ("NeuMF", "ml-1m", "metrics", ["Recall", "MRR", "NDCG", "Hit", "Precision"]),
        ("NeuMF", "ml-100k", "load_col", {"inter": ["user_id", "item_id", "rating", "timestamp"]}),
        ("DeepFM", "ml-1m", "threshold", None),
        ("DeepFM", "ml-100k", "threshold", {"rating": 4}),
        ("XGBoost", "ml-1m", "metrics", ["AUC", "LogLoss"]),
        ("SASRec", "ml-1m", "repeatable", True),
        ("SASRec", "ml-1m", "layer_norm_eps", 1e-12),
        ("DIN", "ml-1m", "metrics", ["AUC", "LogLoss"]),
        ("GRU4RecKG", "ml-1m", "additional_feat_suffix", "ent"),
        (
            "SASRecF",
            "ml-100k",
            "load_col",
            {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "release_year", "class"]},
        ),
    ],
)
def test_defaults_are_those_of_the_model_its_family_and_the_dataset(model, dataset, setting, value):
    assert known_defaults.defaults(model, dataset)[setting] == value


def test_a_dataset_name_cannot_lead_out_of_recboles_folder():
    assert known_defaults.defaults("NeuMF", "../overall") == known_defaults.defaults("NeuMF")


def test_recboles_comment_describes_a_setting():
    assert known_defaults.descriptions()["epochs"] == "The number of training epochs."
    assert known_defaults.descriptions("MultiVAE")["latent_dimension"] == "The latent dimension of auto-encoder."
    assert known_defaults.descriptions("Nothing") == {}


def test_recboles_comment_names_the_choices():
    assert known_defaults.choices("SASRec", "loss_type") == ["BPR", "CE"]
    # Its quotes are not balanced in RecBole's file.
    assert known_defaults.choices("KD_DAGFM", "phase") == ["teacher_training", "distillation", "finetuning"]
    assert known_defaults.choices("SimpleX", "margin") == []
    assert known_defaults.choices("NeuMF", "dropout_prob") == []


def test_the_input_type_comes_from_the_class_or_from_the_loss():
    assert known_models.input_type("LightGCN", None) == "PAIRWISE"
    assert known_models.input_type("SASRec", "CE") == "POINTWISE"
    assert known_models.input_type("SASRec", "BPR") == "PAIRWISE"
    assert not known_models.fixes_input_type("SASRec")
    assert known_models.fixes_input_type("FPMC")


def test_some_models_are_trained_on_whole_users():
    assert "MultiVAE" in known_models.trained_on_users()
    assert "NeuMF" not in known_models.trained_on_users()


def test_a_model_of_ours_has_the_family_of_its_base_class(tmp_path):
    known = dict(RECBOLE)
    for text, kind in [
        ("class Mine(SequentialRecommender):\n", "sequential"),
        ("class Mine(recbole.model.abstract_recommender.ContextRecommender):\n", "context"),
        ("class Part(nn.Module):\n    pass\n\nclass Mine(AutoInt):\n", "context"),
        ("class Mine(nn.Module):\n", "general"),
    ]:
        (tmp_path / "mine.py").write_text(text, "utf-8")
        assert known_models._kind_of(tmp_path / "mine.py", known) == kind


@pytest.mark.parametrize(
    ("model", "setting", "transform", "reader"),
    [
        ("XGBoost", "token_num_threshold", None, "data"),
        ("NeuMF", "encoding", None, "data"),
        ("NeuMF", "alias_of_user_id", None, "data"),
        ("NeuMF", "use_gpu", None, "data"),
        ("BERT4Rec", "mask_ratio", "mask_itemseq", "data"),
        ("BERT4Rec", "mask_ratio", None, "model"),
        ("RecVAE", "beta", None, "model"),
        ("RecVAE", "n_dec_epochs", None, "trainer"),
        ("LightGCN", "reg_weight", None, "model"),
        ("LightGCN", "require_pow", None, "model"),
        ("BPR", "loss_type", None, "model"),
        ("GRU4Rec", "loss_type", None, "data"),
        ("NeuMF", "tail_ratio", None, "trainer"),
        ("NeuMF", "wandb_project", None, "trainer"),
        ("NeuMF", "weight_decay", None, "trainer"),
        ("Nothing", "epochs", None, "trainer"),
    ],
)
def test_it_tells_who_is_the_first_to_read_a_setting(model, setting, transform, reader):
    assert known_settings.read_first_by(model, setting, transform) == reader


def test_settings_of_the_trainer_are_those_that_recboles_trainer_reads():
    names = known_settings.settings_of("BPR") - known_settings.COMPUTED
    found = {name for name in names if known_settings.read_first_by("BPR", name, None) == "trainer"}
    assert {
        "epochs",
        "learner",
        "learning_rate",
        "eval_step",
        "stopping_step",
        "clip_grad_norm",
        "metrics",
        "topk",
    } <= found
    assert {"valid_metric", "metric_decimal_place", "loss_decimal_place", "enable_amp", "enable_scaler"} <= found
    assert not {"seed", "eval_args", "worker", "shuffle", "embedding_size"} & found


def test_what_only_other_families_read_is_not_a_setting_of_a_model():
    assert not {"eta", "mask_ratio", "token_num_threshold", "reg_weight"} & known_settings.settings_of("NeuMF")
    assert {"eta", "beta"} <= known_settings.settings_of("SASRec")
    assert "token_num_threshold" in known_settings.settings_of("XGBoost")
