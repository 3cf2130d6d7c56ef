from __future__ import annotations

import pytest

from utils.scenario.settings import effective, find_setting_problems

CE = "the loss_type CE of SASRec takes no negatives; set train_neg_sample_args: ~ (or loss_type: BPR)"


@pytest.mark.parametrize(
    "setting",
    [
        "learning_rate: 1",
        "learning_rate: 1e-5",
        "weight_decay: 0",
        "dropout_prob: 0",
        "dropout_prob: 1",
        "distil_loss_weight: 0",
        "distil_loss_weight: 1",
        "seed: 0",
        "metrics: Recall\nvalid_metric: Recall@10",
        "metrics: [recall, ndcg]\nvalid_metric: ndcg@10",
        "metrics: [GAUC]\nvalid_metric: GAUC",
        "topk: 5\nvalid_metric: MRR@5",
        "metrics: [AUC]\nvalid_metric: AUC\neval_args: {mode: labeled}",
        "use_gpu: no",
        "gpu_id: 0",
        "gpu_id: '0,1'",
        "threads: ~",
        "llm_config: ~",
        "load_col: ~",
        "load_col: None",
        "load_col: {inter: '*'}",
        "threshold: ~",
        "benchmark_filename: None",
        "user_inter_num_interval: ~",
        "user_inter_num_interval: '[5,inf)'",
        "clip_grad_norm: {max_norm: 5, norm_type: 2}",
        "additional_feat_suffix: ~",
        "seq_len: ~",
        "val_interval: {rating: '[4,inf)'}",
        "eval_args: {mode: {valid: pop20, test: uni100}}",
        "eval_args: {mode: {test: full}}",
        "eval_args: {group_by: None}",
        "eval_args: {split: {TS: [0.8, 0.1, 0.1]}, order: TO}",
        "valid_metric_bigger: True",
        "encoding: latin-1",
    ],
)
def test_it_accepts(complaints, setting):
    assert complaints(setting) == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs: 1.5", "epochs: got 1.5; accepted: an integer of at least 0"),
        ("epochs: True", "epochs: got True; accepted: an integer of at least 0"),
        ("epochs: ~", "epochs: got None; accepted: an integer of at least 0"),
        ("learning_rate: 0", "learning_rate: got 0; accepted: a number greater than 0"),
        ("learning_rate: .inf", "learning_rate: got inf; accepted: a number greater than 0"),
        ("weight_decay: .nan", "weight_decay: got nan; accepted: a number of at least 0"),
        ("seed: -1", "seed: got -1; accepted: an integer from 0 to 4294967295"),
        ("distil_loss_weight: 1.01", "distil_loss_weight: got 1.01; accepted: a number from 0 to 1"),
        ("dropout_prob: -0.1", "dropout_prob: got -0.1; accepted: a number from 0 to 1"),
        ("dropout_prob: .nan", "dropout_prob: got nan; accepted: a number from 0 to 1"),
        ("mf_embedding_size: 6.5", "mf_embedding_size: got 6.5; accepted: an integer greater than 0"),
        ("mlp_hidden_size: [64, x]", "mlp_hidden_size: got [64, 'x']; accepted: a list of integers greater than 0"),
        ("mf_train: 1", "mf_train: got 1; accepted: True or False"),
        ("learner: Adm", "learner: got 'Adm'; accepted: 'adam', 'adamw', 'sgd', 'adagrad', 'rmsprop' or "
         "'sparse_adam'; did you mean 'adam'?"),
        ("journal_name: runs.txt", "journal_name: got 'runs.txt'; accepted: a text such as 'journal.csv'"),
        ("val_interval: {rating: 4}", "val_interval.rating: got 4; accepted: a text such as '[5,inf)' or '(0,10]'"),
        ("topk: []", "topk: got []; accepted: an integer greater than 0, or a list of one or more integers greater "
         "than 0"),
        ("eval_args: ~", "eval_args: got None; accepted: a mapping with split, group_by, order, mode"),
        ("eval_args: {order: ro}", "eval_args.order: got 'ro'; accepted: 'RO' or 'TO'; did you mean 'RO'?"),
        ("eval_args: {split: {RS: [0.8, 0.2]}}", "eval_args.split.RS: got [0.8, 0.2]; accepted: three ratios, of "
         "train, valid and test"),
        ("eval_args: {split: {RS: [1, 1, 1], LS: valid_only}}", "eval_args.split: got RS and LS; accepted: one of "
         "RS, LS, TS"),
        ("eval_args: {split: ~}", "eval_args.split: got none; accepted: one of RS, LS, TS"),
        ("eval_args: {mode: {valid: full, tst: full}}", "eval_args.mode.tst: unknown key; did you mean 'test'?"),
        ("clip_grad_norm: {norm_type: 2}", "clip_grad_norm needs 'max_norm'"),
        (
            "llm_config: {preprocess_from_json: {from: a.json, to: a.pt, by: exp_2024_04_12}}",
            "llm_config.preprocess_from_json.by: got 'exp_2024_04_12'; accepted: 'exp_2024_04_11' or "
            "'exp_2024_05_18_AVC_users'; did you mean 'exp_2024_04_11'?",
        ),
        ("llm_config: {preprocess_from_json: {from: a.json}}", "llm_config.preprocess_from_json needs 'to'"),
        ("dataset: a/b", "dataset: got 'a/b'; accepted: a text such as 'ml-100k'"),
        ("encoding: utf-9", "encoding: got 'utf-9'; accepted: a text such as 'utf-8' or 'latin-1'"),
        ("save_dataset: True", "'save_dataset' is not accepted: RecBole pickles the dataset; use the command "
         "'save_datasets'"),
        ("device: cpu", "RecBole computes 'device' itself; a value given here would be lost"),
        ("latent_dimension: 64", "NeuMF does not read the setting 'latent_dimension' (MultiDAE, MultiVAE, RaCT, "
         "RecVAE do)"),
        ("llm_config.embeddings_path: x", "unknown RecBole setting 'llm_config.embeddings_path'"),
    ],
)  # fmt: skip
def test_it_refuses(complaints, setting, message):
    assert complaints(setting) == [message]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("metrics: [Recal]", "unknown metric 'Recal'; did you mean 'Recall'?"),
        ("metrics: [AUC, Recall]", "Recall is a ranking metric and AUC is not; RecBole measures one kind in a run"),
        ("metrics: [RMSE]\nvalid_metric: RMSE", "RMSE cannot be measured in full ranking; set mode: labeled, or "
         "uni100, in eval_args"),
        ("valid_metric: NDCG", "valid_metric 'NDCG' is not measured; metrics and topk give Recall@10, MRR@10, "
         "NDCG@10, Hit@10, Precision@10; did you mean 'NDCG@10'?"),
        ("topk: 20", "valid_metric 'MRR@10' (RecBole's default) is not measured; metrics and topk give Recall@20, "
         "MRR@20, NDCG@20, Hit@20, Precision@20; did you mean 'MRR@20'?"),
        ("valid_metric_bigger: False", "valid_metric_bigger: RecBole takes True for MRR@10, whatever stands here; "
         "remove it"),
        ("threshold: {rating: 4, timestamp: 1}", "threshold: got {'rating': 4, 'timestamp': 1}; accepted: one "
         "column, e.g. {rating: 4}"),
        ("unload_col: {inter: [rating]}", "unload_col.inter: load_col (RecBole's default) names inter too, and "
         "RecBole takes one; set load_col: ~"),
        ("benchmark_filename: [train, test]", "benchmark_filename: got ['train', 'test']; accepted: three parts, of "
         "train, valid and test"),
        ("train_neg_sample_args: ~", "NeuMF needs labels: without train_neg_sample_args, set threshold (e.g. "
         "{rating: 4}), or load the column 'label'"),
        ("model: DeepFM\nthreshold: ~", "DeepFM needs labels: without train_neg_sample_args, set threshold (e.g. "
         "{rating: 4}), or load the column 'label'"),
        ("model: LightGCN\ntrain_neg_sample_args: None", "LightGCN compares items with negatives; remove this "
         "train_neg_sample_args"),
        ("model: SASRec", CE),
        ("model: SASRec\nloss_type: CE", CE),
        ("model: SASRec\nloss_type: CEE", "loss_type: got 'CEE'; accepted: 'BPR' or 'CE'; did you mean 'CE'?"),
        ("model: SASRec\ntrain_neg_sample_args: ~\neval_args: {mode: full}", "eval_args.order: got 'RO'; accepted: "
         "'TO', because SASRec learns from sequences"),
        ("model: SASRec\ntrain_neg_sample_args: ~\nrepeatable: False", "repeatable: got False; accepted: True, "
         "because SASRec learns from sequences"),
    ],
)  # fmt: skip
def test_it_refuses_what_does_not_fit_together(complaints, settings, message):
    assert complaints(settings) == [message]


@pytest.mark.parametrize(
    "settings",
    [
        "model: SASRec\ntrain_neg_sample_args: ~",
        "model: SASRec\nloss_type: BPR",
        "model: SASRec\ntrain_neg_sample_args: ~\neval_args: {split: {LS: valid_and_test}, order: TO}",
        "model: DeepFM",
        "model: DeepFM\ntrain_neg_sample_args: ~\nthreshold: {rating: 3}",
        "model: MultiVAE\ntrain_neg_sample_args: None",
        "model: FPMC",
        # Its code knows this loss; RecBole's comment on the setting does not.
        "model: SINE\nloss_type: NLL",
    ],
)
def test_it_accepts_what_each_family_of_models_needs(complaints, settings):
    assert complaints(settings) == []


def test_both_required_settings_are_named_with_an_example(problems):
    assert problems("scenario: [init_model]\n") == [
        (0, 0, "the setting 'dataset' is missing, e.g. dataset: ml-100k"),
        (0, 0, "the setting 'model' is missing, e.g. model: NeuMF"),
    ]


def test_of_an_unknown_model_the_settings_of_others_are_not_called_wrong(complaints):
    assert complaints("model: NeuFM\nmf_embedding_size: 64") == ["unknown model 'NeuFM'; did you mean 'NeuMF'?"]


def test_effective_settings_are_recboles_with_the_scenarios_on_top():
    values = effective({"model": "NeuMF", "dataset": "ml-100k", "epochs": 3})
    assert values["epochs"] == 3
    assert values["learning_rate"] == 0.001
    assert values["mf_embedding_size"] == 64


def test_effective_eval_args_are_completed_as_recbole_does():
    # As soon as a scenario says anything, the sequential defaults (LS, TO) no longer count.
    assert effective({"model": "SASRec", "dataset": "ml-1m"})["eval_args"] == {
        "split": {"LS": "valid_and_test"},
        "order": "TO",
        "group_by": "user",
        "mode": "full",
    }
    assert effective({"model": "SASRec", "dataset": "ml-1m", "eval_args": {"mode": "uni100"}})["eval_args"] == {
        "split": {"RS": [0.8, 0.1, 0.1]},
        "order": "RO",
        "group_by": "user",
        "mode": "uni100",
    }


def test_find_setting_problems_keeps_to_the_settings_it_is_asked_about():
    settings = {"model": "NeuMF", "dataset": "ml-100k", "epochs": "ten", "seed": "two"}
    assert find_setting_problems(settings, {"seed"}) == [
        (("seed",), "seed: got 'two'; accepted: an integer from 0 to 4294967295")
    ]
