from __future__ import annotations

import pytest
import torch

NEUMF = "model: NeuMF\ndataset: ml-100k\n"


def late(problems, steps):
    return [message for _, _, message in problems(f"{NEUMF}scenario: [{steps}]\n")]


@pytest.mark.parametrize(
    "steps",
    [
        "init_model, init_trainer, train, set_config: {distil_loss_weight: 0.1}, init_trainer, train",
        "init_model, init_trainer, train, set_config: {show_progress: False}, test_eval",
        "init_model, init_trainer, train, test_eval, set_config: {slices: {cold_users: 5}}, test_eval",
        "init_model, set_config: {epochs: 5, learning_rate: 0.1, metrics: [MRR]}, init_trainer, train",
        "init_model, init_trainer, train, set_config: {epochs: 5}, init_trainer, train",
        "set_config: {eval_batch_size: 100, mf_embedding_size: 32}, init_model",
        # A second model reads the model's settings again.
        "init_model, set_config: {mf_embedding_size: 32}, init_model",
    ],
)
def test_a_setting_that_still_has_an_effect_is_accepted(problems, steps, tmp_path):
    vectors = tmp_path / "datasets" / "llm_embeddings" / "ml-100k"
    vectors.mkdir(parents=True)
    torch.save(torch.ones(2, 2), vectors / "in.pt")
    assert late(problems, steps) == []


@pytest.mark.parametrize(
    "setting",
    [
        "logger_level: DEBUG",
        "state: DEBUG",
        "journal_name: other.csv",
        "checkpoint_dir: elsewhere",
        "data_path: elsewhere",
        "llm_config: {use_user_emb: False}",
        "save: False",
        "threads: 1",
        "add_train_split: [1, 1]",
        "add_train_shuffle: True",
    ],
)
def test_a_setting_that_is_read_before_the_first_step_is_refused(problems, setting):
    name = setting.partition(":")[0]
    message = f"set_config: {name} is read before the first step; put it among the settings"
    assert late(problems, f"set_config: {{{setting}}}, init_model") == [message]


@pytest.mark.parametrize("setting", ["eval_batch_size: 100", "seed: 5", "eval_args: {mode: full}", "encoding: utf-8"])
def test_a_setting_of_the_dataset_is_refused_once_that_is_loaded(problems, setting):
    name = setting.partition(":")[0]
    message = f"set_config: {name} comes too late: 'init_model' has loaded the dataset already"
    assert late(problems, f"init_model, set_config: {{{setting}}}, init_trainer, train") == [message]


def test_the_first_command_that_loads_the_dataset_is_named(problems):
    steps = "encode_profiles: {items_file: a.pt}, set_config: {seed: 5}, init_model"
    assert late(problems, steps) == [
        "set_config: seed comes too late: 'encode_profiles' has loaded the dataset already"
    ]


def test_a_setting_of_the_trainer_is_refused_after_it(problems):
    assert late(problems, "init_model, init_trainer, set_config: {epochs: 5}, train") == [
        "set_config: epochs comes too late: 'init_trainer' has read it already; put set_config before 'init_trainer'"
    ]


def test_a_setting_of_the_model_is_refused_after_it(problems):
    assert late(problems, "init_model, set_config: {dropout_prob: 0.5}, init_trainer") == [
        "set_config: dropout_prob comes too late: 'init_model' has read it already; put set_config before 'init_model'"
    ]


def test_a_setting_that_nothing_reads_is_refused(problems):
    assert late(problems, "init_model, set_config: {epochs: 5}") == [
        "set_config: epochs would never be read: no 'init_trainer' follows"
    ]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            "train, set_config: {distil_loss_weight: 0.1}, test_eval",
            "distil_loss_weight would never be read: no 'train'",
        ),
        ("train, test_eval, set_config: {show_progress: False}", "show_progress would never be read: no 'train' or"),
        ("train, test_eval, set_config: {slices: {cold_users: 5}}", "slices would never be read: no 'test_eval'"),
    ],
)
def test_a_setting_that_is_read_at_each_use_needs_one(problems, steps, message):
    (said,) = late(problems, f"init_model, init_trainer, {steps}")
    assert said.startswith(f"set_config: {message}")


def test_a_setting_of_the_dataset_needs_someone_to_load_it(problems):
    assert late(problems, "print: nothing, set_config: {eval_batch_size: 100}") == [
        "set_config: eval_batch_size would never be read: no 'init_model' follows"
    ]


def test_what_loads_the_dataset_before_the_first_step_is_named(problems):
    llm = "llm_config: {preprocess_random: {random: True}}\n"
    steps = "scenario: [set_config: {seed: 5, mf_embedding_size: 32}, init_model]\n"
    assert [message for _, _, message in problems(f"{NEUMF}{llm}{steps}")] == [
        "set_config: seed comes too late: 'preprocess_random' has loaded the dataset already"
    ]
    assert problems(f"{NEUMF}{llm.replace('True', 'False')}{steps}") == []


SEQUENTIAL = "dataset: ml-100k\ntrain_neg_sample_args: ~\neval_args: {order: TO}\n"


@pytest.mark.parametrize(
    ("model", "setting", "reader"),
    [
        ("BERT4Rec", "mask_ratio: 0.5", "data"),
        ("BERT4Rec", "ft_ratio: 0.5", "data"),
        # S3Rec masks by itself: its loaders transform nothing.
        ("S3Rec", "mask_ratio: 0.5", "model"),
        ("SASRec", "transform: crop_itemseq", "data"),
        ("SASRec", "MAX_ITEM_LIST_LENGTH: 5", "data"),
        ("SASRec\ntransform: crop_itemseq", "eta: 0.5", "data"),
        ("SASRec\ntransform: reorder_itemseq", "beta: 0.5", "data"),
        # Whether pairs are drawn follows from it.
        ("SASRec", "loss_type: CE", "data"),
        ("SASRec", "n_heads: 1", "model"),
    ],
)
def test_the_first_reader_of_a_setting_is_found_in_recbole(problems, model, setting, reader):
    late = "has loaded the dataset already"
    if reader == "model":
        late = "has read it already; put set_config before 'init_model'"
    said = problems(
        f"model: {model}\n{SEQUENTIAL}scenario: [init_model, set_config: {{{setting}}}, init_trainer, train]\n"
    )
    assert [message for _, _, message in said] == [
        f"set_config: {setting.partition(':')[0]} comes too late: 'init_model' {late}"
    ]


def test_a_setting_of_a_models_own_trainer_is_one_of_the_trainer(problems):
    steps = "scenario: [init_model, set_config: {warm_up_step: 5}, init_trainer, train]\n"
    assert problems(f"model: NCL\ndataset: ml-100k\n{steps}") == []


def test_a_setting_is_checked_before_it_is_called_late(problems):
    assert late(problems, "init_model, init_trainer, set_config: {epochs: ten, learning_rat: 1}, train") == [
        "set_config: epochs: got 'ten'; accepted: an integer of at least 0",
        "set_config: unknown RecBole setting 'learning_rat'; did you mean 'learning_rate'?",
    ]
