from __future__ import annotations

import pytest

from models.losses import loss_names
from utils.commands.base import COMMANDS
from utils.recbole_port import known_models
from utils.registry import Registry, UnknownName, did_you_mean, nearest
from utils.retrieval.base import RETRIEVERS

# A name that users may write is a promise: it may be added to, and changed only with an alias.
COMMAND_NAMES = [
    "break",
    "debug_model",
    "encode_profiles",
    "graph_llm_generate",
    "graph_llm_train",
    "info",
    "init_embeddings",
    "init_model",
    "init_trainer",
    "load_from_file",
    "print",
    "reduce_dim",
    "remove_outputs",
    "retrieve_subgraph",
    "save_datasets",
    "set",
    "set_config",
    "set_outputs",
    "set_train_dataset",
    "set_trainable",
    "test_eval",
    "train",
    "wrap_model",
    "write_profiles",
]
LOSS_NAMES = [
    "AutoIntUserRMSE",
    "LightGCNUserCosSim",
    "MultiVAEUserRMSE",
    "NGCFUserRMSE",
    "NeumfUserRMSE",
    "SimpleXUserRMSE",
    "cka",
    "cosine",
    "huber",
    "infonce",
    "kl",
    "mae",
    "masked_reconstruction",
    "mse",
    "ranking_distillation",
    "rkd_angle",
    "rkd_distance",
    "rmse",
]
RETRIEVER_NAMES = ["khop", "pcst", "ppr", "similarity"]
RECOMMENDER_NAMES = ["AutoIntKAR", "DCNKAR", "DeepFMKAR"]


def test_all_command_names():
    assert COMMANDS.names() == COMMAND_NAMES
    assert set(COMMANDS.known()) - set(COMMAND_NAMES) == {"set_output"}


def test_all_loss_names():
    assert loss_names() == LOSS_NAMES


def test_all_recommenders_of_ours():
    own = sorted(model.name for model in known_models.models().values() if model.family == "own")
    assert own == RECOMMENDER_NAMES


def test_all_retriever_names():
    assert RETRIEVERS.names() == RETRIEVER_NAMES


def test_a_command_file_is_named_like_its_command():
    for name, cls in COMMANDS.items():
        # `break` is a word of Python's and cannot be a module that one imports.
        assert cls.__module__ == f"utils.commands.{'break_scenario' if name == 'break' else name}"
        assert cls.name == name


@pytest.fixture
def animals():
    registry: Registry[str] = Registry("animal")
    registry.register("cat", "puss")("meow")
    registry.register("dog")("woof")
    return registry


def test_an_entry_is_found_by_name_and_alias(animals):
    assert animals.get("cat") == animals.get("puss") == "meow"
    assert "puss" in animals
    assert "cow" not in animals


def test_names_leave_aliases_out_and_known_has_them(animals):
    assert animals.names() == ["cat", "dog"]
    assert animals.known() == ["cat", "dog", "puss"]
    assert list(animals.items()) == [("cat", "meow"), ("dog", "woof")]


@pytest.mark.parametrize("names", [("cat",), ("puss",), ("cow", "dog"), ("cow", "puss")])
def test_a_name_is_taken_once(animals, names):
    with pytest.raises(ValueError, match=f"animal '{names[-1]}' is registered twice"):
        animals.register(*names)("moo")
    # Nothing of the refused registration stays behind.
    assert animals.known() == ["cat", "dog", "puss"]


def test_a_miss_suggests_the_nearest_name(animals):
    with pytest.raises(UnknownName) as caught:
        animals.get("catt")
    assert str(caught.value) == "unknown animal 'catt'; did you mean 'cat'?"


def test_a_miss_without_a_near_name_suggests_nothing(animals):
    with pytest.raises(UnknownName) as caught:
        animals.get("hippopotamus")
    assert str(caught.value) == "unknown animal 'hippopotamus'"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("init_modle", "init_model"),
        ("INIT_MODEL", "init_model"),
        ("init-model", "init_model"),
        ("initmodel", "init_model"),
        ("set_output", "set_output"),
        ("xyz", None),
        ("", None),
    ],
)
def test_the_nearest_name(written, meant):
    assert nearest(written, [*COMMAND_NAMES, "set_output"]) == meant


def test_did_you_mean_is_the_tail_of_a_message():
    assert did_you_mean("pcaa", ["pca", "umap"]) == "; did you mean 'pca'?"
    assert did_you_mean("svd", ["pca", "umap"]) == ""
