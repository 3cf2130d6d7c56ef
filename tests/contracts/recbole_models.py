"""Every RecBole 1.2.1 model: its smallest settings on the tiny dataset, and where to tap it.

Data only. `CASES` and `LEFT_OUT` together name every model of RecBole's `model/*_recommender` folders. Values
stand as a YAML file would give them; RecBole fills in nested dicts in place, so give it a deep copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Rows = Literal["batch", "users", "sequence"]


@dataclass(frozen=True)
class ModelCase:
    """One model, what it needs beyond `COMMON`, and a tap that fires in the loss of a training batch.

    `tap` is what `set_outputs` takes: a submodule or a method of the model, as `unit` says. It gives vectors
    that require grad. `rows` is what dimension 0 of the tensor counts; users count padding too, and `sequence`
    is the batch, with positions in dimension 1. `side` is whose vectors it may be compared with (a batch has
    a row of each). `tap` is None where there is nothing to learn.

    `loss` names the method that its trainer calls on a batch, with `loss_args`. A batch of a knowledge-aware
    model comes from a dataloader after `set_mode(KGDataLoaderState.RSKG)`.
    """

    name: str
    settings: dict[str, Any]
    tap: str | None
    rows: Rows = "batch"
    unit: Literal["module", "method"] = "module"
    side: Literal["users", "items"] = "users"
    loss: str = "calculate_loss"
    loss_args: dict[str, Any] = field(default_factory=dict)
    note: str = ""


COMMON: dict[str, Any] = {"epochs": 1, "train_batch_size": 64, "eval_batch_size": 400}

NOTHING_TO_LEARN = "no gradient trains it: it guesses, counts or solves as it is built, and its loss is a dummy"

SMALL: dict[str, Any] = {"embedding_size": 8}
# Batches of users, smaller than the table of users, so that a tensor's first dimension tells them apart.
BY_USER: dict[str, Any] = {"train_neg_sample_args": None, "train_batch_size": 16}
CONTEXT: dict[str, Any] = {
    **SMALL,
    "load_col": {
        "inter": ["user_id", "item_id", "rating"],
        "user": ["user_id", "age", "gender", "occupation"],
        "item": ["item_id", "release_year", "class"],
    },
    "threshold": {"rating": 4},
}
CONTEXT_MLP: dict[str, Any] = {**CONTEXT, "mlp_hidden_size": [8]}
SEQUENCE: dict[str, Any] = {
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "MAX_ITEM_LIST_LENGTH": 10,
    "train_neg_sample_args": None,
}
SMALL_SEQUENCE: dict[str, Any] = {**SEQUENCE, **SMALL}
PAIRWISE_SEQUENCE: dict[str, Any] = {
    **SMALL,
    "load_col": SEQUENCE["load_col"],
    "MAX_ITEM_LIST_LENGTH": 10,
}
TRANSFORMER: dict[str, Any] = {**SEQUENCE, "hidden_size": 8, "inner_size": 16}
CLASSES: dict[str, Any] = {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]}
FEATURE_SEQUENCE: dict[str, Any] = {**SEQUENCE, "load_col": CLASSES, "selected_features": ["class"]}
DIN_SETTINGS: dict[str, Any] = {
    **SMALL,
    "load_col": {
        "inter": ["user_id", "item_id", "rating", "timestamp"],
        "user": ["user_id", "age", "gender", "occupation"],
        "item": ["item_id", "release_year"],
    },
    "MAX_ITEM_LIST_LENGTH": 10,
    "mlp_hidden_size": [8],
}
ENTITY_COLUMNS: dict[str, Any] = {
    "inter": ["user_id", "item_id", "timestamp"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
    "ent": ["ent_id", "ent_emb"],
}
ENTITY: dict[str, Any] = {
    **SMALL_SEQUENCE,
    "hidden_size": 8,
    "load_col": ENTITY_COLUMNS,
    "additional_feat_suffix": ["ent"],
    "alias_of_entity_id": ["ent_id"],
    "preload_weight": {"ent_id": "ent_emb"},
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
}

LEFT_OUT: dict[str, str] = {
    "LightGBM": "needs lightgbm",
    "XGBoost": "needs xgboost",
}

CASES: list[ModelCase] = [
    ModelCase("ADMMSLIM", {"k": 5}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase("AsymKNN", {"k": 5}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase("BPR", SMALL, tap="forward[0]", unit="method"),
    ModelCase("CDAE", {**SMALL, **BY_USER}, tap="h_act"),
    ModelCase(
        "ConvNCF",
        {**SMALL, "cnn_channels": [1, 4, 4, 4], "cnn_kernels": [2, 2, 2], "cnn_strides": [2, 2, 2]},
        tap="user_embedding#1",
    ),
    ModelCase("DGCF", SMALL, tap="forward", rows="users", unit="method"),
    ModelCase("DiffRec", {**SMALL, **BY_USER, "dims_dnn": [8]}, tap="mlp"),
    ModelCase(
        "DMF",
        {
            **SMALL,
            "user_embedding_size": 8,
            "item_embedding_size": 8,
            "user_hidden_size_list": [8],
            "item_hidden_size_list": [8],
        },
        tap="user_fc_layers",
    ),
    ModelCase("EASE", {}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase("ENMF", {**SMALL, **BY_USER}, tap="dropout"),
    ModelCase("FISM", SMALL, tap="item_dst_embedding", side="items"),
    ModelCase("GCMC", {**SMALL, "gcn_output_dim": 8}, tap="GcEncoder", rows="users"),
    ModelCase("ItemKNN", {"k": 5}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase("LDiffRec", {**SMALL, **BY_USER, "in_dims": [8], "dims_dnn": [8]}, tap="mlp"),
    ModelCase("LightGCN", SMALL, tap="forward", rows="users", unit="method"),
    ModelCase("LINE", SMALL, tap="user_embedding#1"),
    ModelCase(
        "MacridVAE",
        {**SMALL, **BY_USER, "kfac": 3, "encoder_hidden_size": [8]},
        tap="encoder#1",
        note="its encoder runs once per concept",
    ),
    ModelCase(
        "MultiDAE",
        {**BY_USER, "mlp_hidden_size": [8], "latent_dimension": 8},
        tap="encoder",
    ),
    ModelCase(
        "MultiVAE",
        {**BY_USER, "mlp_hidden_size": [8], "latent_dimension": 8},
        tap="encoder",
    ),
    ModelCase("NAIS", {**SMALL, "weight_size": 8}, tap="item_dst_embedding", side="items"),
    ModelCase("NCEPLRec", {"rank": 8}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase(
        "NCL",
        {**SMALL, "num_clusters": 5, "warm_up_step": 0},
        tap="forward[0]",
        rows="users",
        unit="method",
        note="its trainer calls e_step first",
    ),
    ModelCase("NeuMF", {"mf_embedding_size": 8, "mlp_embedding_size": 8, "mlp_hidden_size": [8]}, tap="mlp_layers"),
    ModelCase("NGCF", {**SMALL, "hidden_size_list": [8, 8]}, tap="forward", rows="users", unit="method"),
    ModelCase(
        "NNCF",
        {
            "ui_embedding_size": 8,
            "neigh_embedding_size": 8,
            "num_conv_kernel": 8,
            "conv_kernel_size": 3,
            "pool_kernel_size": 3,
            "neigh_num": 5,
            "mlp_hidden_size": [8],
        },
        tap="mlp_layers",
    ),
    ModelCase("Pop", {}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase(
        "RaCT",
        {
            **BY_USER,
            "mlp_hidden_size": [8],
            "latent_dimension": 8,
            "critic_layers": [8],
            "metrics_k": 5,
            "pretrain_epochs": 1,
            "save_step": 1,
        },
        tap="encoder",
        note="actor pre-training stage; the next ones need a checkpoint of it",
    ),
    ModelCase("Random", {}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase(
        "RecVAE",
        {**BY_USER, "hidden_dimension": 8, "latent_dimension": 8},
        tap="encoder[0]",
        loss_args={"encoder_flag": True},
        note="its trainer passes encoder_flag: encoder epochs first, then decoder epochs",
    ),
    ModelCase(
        "SGL",
        SMALL,
        tap="forward#1",
        rows="users",
        unit="method",
        note="forward runs once per view; the first is the whole graph",
    ),
    ModelCase("SimpleX", {**SMALL, "history_len": 5}, tap="UI_map"),
    ModelCase("SLIMElastic", {}, tap=None, note=NOTHING_TO_LEARN),
    ModelCase("SpectralCF", {**SMALL, "n_layers": 2}, tap="forward", rows="users", unit="method"),
    ModelCase("AFM", {**CONTEXT, "attention_size": 8}, tap="dropout_layer"),
    ModelCase(
        "AutoInt",
        {**CONTEXT_MLP, "attention_size": 8, "n_layers": 1, "dropout_probs": [0.2, 0.2, 0.2]},
        tap="mlp_layers",
    ),
    ModelCase("DCN", CONTEXT_MLP, tap="mlp_layers"),
    ModelCase("DCNV2", {**CONTEXT_MLP, "low_rank": 4, "expert_num": 2}, tap="mlp_layers"),
    ModelCase("DeepFM", CONTEXT_MLP, tap="mlp_layers"),
    ModelCase("DSSM", CONTEXT_MLP, tap="user_mlp_layers"),
    ModelCase(
        "EulerNet",
        {**CONTEXT, "order_list": [3]},
        tap="Euler_interaction_layers.0.im#1",
        note="the layer itself gives [batch, orders, dim]",
    ),
    ModelCase("FFM", CONTEXT, tap="first_order_linear", note="[batch, 1]; ffm gives [batch, fields, dim]"),
    ModelCase(
        "FiGNN",
        {**CONTEXT, "attention_size": 8, "n_layers": 1},
        tap="fignn_layer",
        unit="method",
        note="[batch, 1]",
    ),
    ModelCase("FM", CONTEXT, tap="fm", note="[batch, 1]"),
    ModelCase("FNN", CONTEXT_MLP, tap="mlp_layers"),
    ModelCase("FwFM", CONTEXT, tap="dropout_layer"),
    ModelCase(
        "KD_DAGFM",
        {**CONTEXT, "t_depth": 1, "depth": 1},
        tap="forward",
        unit="method",
        note="teacher training stage; distillation needs a checkpoint of it",
    ),
    ModelCase("LR", CONTEXT, tap="first_order_linear", note="[batch, 1]"),
    ModelCase("NFM", CONTEXT_MLP, tap="mlp_layers"),
    ModelCase("PNN", CONTEXT_MLP, tap="mlp_layers"),
    ModelCase("WideDeep", CONTEXT_MLP, tap="mlp_layers"),
    ModelCase("xDeepFM", {**CONTEXT_MLP, "cin_layer_size": [8]}, tap="compressed_interaction_network", unit="method"),
    ModelCase("CFKG", SMALL, tap="user_embedding"),
    ModelCase("CKE", {**SMALL, "kg_embedding_size": 8}, tap="user_embedding"),
    ModelCase("KGAT", {**SMALL, "kg_embedding_size": 8, "layers": [8]}, tap="forward[0]", rows="users", unit="method"),
    ModelCase("KGCN", SMALL, tap="forward[0]#1", unit="method"),
    ModelCase("KGIN", {**SMALL, "n_factors": 2}, tap="forward[0]", rows="users", unit="method"),
    ModelCase(
        "KGNNLS",
        SMALL,
        tap="user_embedding#1",
        note="asked for users twice; the first time once per positive and once per negative",
    ),
    ModelCase("KTUP", SMALL, tap="forward[0]#1", unit="method"),
    ModelCase(
        "MCCLK",
        SMALL,
        tap="light_gcn[0]",
        rows="users",
        unit="method",
        note="forward starts with one row per entity, light_gcn with one per user",
    ),
    ModelCase(
        "MKR",
        {**SMALL, "kg_embedding_size": 8},
        tap="user_mlp",
        loss="calculate_rs_loss",
        note="has no calculate_loss: its trainer calls calculate_rs_loss and calculate_kg_loss in turn",
    ),
    ModelCase("RippleNet", {**SMALL, "n_memory": 4}, tap="transform_matrix#1"),
    ModelCase("BERT4Rec", TRANSFORMER, tap="forward", rows="sequence", side="items", unit="method"),
    ModelCase("Caser", {**SMALL_SEQUENCE, "nv": 2, "nh": 2}, tap="forward", unit="method"),
    ModelCase("CORE", {**SMALL_SEQUENCE, "inner_size": 16}, tap="forward", unit="method"),
    ModelCase("DIEN", DIN_SETTINGS, tap="interest_evolution"),
    ModelCase("DIN", DIN_SETTINGS, tap="dnn_mlp_layers"),
    ModelCase("FDSA", {**FEATURE_SEQUENCE, "hidden_size": 8, "inner_size": 16}, tap="forward", unit="method"),
    ModelCase("FEARec", TRANSFORMER, tap="forward", unit="method"),
    ModelCase("FOSSIL", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase("FPMC", PAIRWISE_SEQUENCE, tap="UI_emb#1"),
    ModelCase("GCSAN", TRANSFORMER, tap="forward", unit="method"),
    ModelCase("GRU4Rec", {**SMALL_SEQUENCE, "hidden_size": 8}, tap="forward", unit="method"),
    ModelCase(
        "GRU4RecCPR",
        {**SMALL_SEQUENCE, "hidden_size": 8, "reranker_CAN_NUM": "10"},
        tap="forward",
        rows="sequence",
        side="items",
        unit="method",
    ),
    ModelCase("GRU4RecF", {**FEATURE_SEQUENCE, "hidden_size": 8, "embedding_size": 8}, tap="forward", unit="method"),
    ModelCase("GRU4RecKG", ENTITY, tap="forward", unit="method"),
    ModelCase("HGN", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase("HRM", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase(
        "KSR",
        {
            **ENTITY,
            "load_col": {**ENTITY_COLUMNS, "rel": ["rel_id", "rel_emb"]},
            "additional_feat_suffix": ["ent", "rel"],
            "preload_weight": {"ent_id": "ent_emb", "rel_id": "rel_emb"},
            "kg_embedding_size": 8,
            "alias_of_relation_id": ["rel_id"],
        },
        tap="forward",
        unit="method",
    ),
    ModelCase("LightSANs", {**TRANSFORMER, "k_interests": 3}, tap="forward", unit="method"),
    ModelCase("NARM", {**SMALL_SEQUENCE, "hidden_size": 8}, tap="forward", unit="method"),
    ModelCase("NextItNet", {**SMALL_SEQUENCE, "block_num": 1}, tap="forward", unit="method"),
    ModelCase("NPE", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase("RepeatNet", {**SMALL_SEQUENCE, "hidden_size": 8}, tap="gather_indexes", unit="method"),
    ModelCase(
        "S3Rec",
        {**TRANSFORMER, "load_col": CLASSES, "item_attribute": "class", "pretrain_epochs": 1, "save_step": 1},
        tap="forward#1",
        rows="sequence",
        side="items",
        unit="method",
        note="pre-training stage; fine-tuning needs a checkpoint of it",
    ),
    ModelCase("SASRec", TRANSFORMER, tap="forward", unit="method"),
    ModelCase("SASRecCPR", {**TRANSFORMER, "reranker_CAN_NUM": "10"}, tap="MLP_linear", rows="sequence", side="items"),
    ModelCase("SASRecF", {**FEATURE_SEQUENCE, "hidden_size": 8, "inner_size": 16}, tap="forward", unit="method"),
    ModelCase("SHAN", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase("SINE", {**SMALL_SEQUENCE, "prototype_size": 4, "interest_size": 2}, tap="forward", unit="method"),
    ModelCase("SRGNN", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase("STAMP", SMALL_SEQUENCE, tap="forward", unit="method"),
    ModelCase("TransRec", PAIRWISE_SEQUENCE, tap="forward", unit="method"),
]
