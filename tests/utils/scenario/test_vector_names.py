"""A file of vectors is named, never reached by a path."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from utils.scenario.errors import ScenarioError
from utils.scenario.vector_names import ProfileFileName, VectorFileName

OUTSIDE = ["../u.pt", "/tmp/u.pt", "a/u.pt", "..\\u.pt", "a\\u.pt", ".u.pt", "..pt", "", "./u.pt", "u\0.pt", "u.pt\n"]
NOT_VECTORS = ["u", "u.pth", "u.json", ".pt"]


def _accepts(kind: Any, name: str) -> bool:
    try:
        return bool(TypeAdapter(kind).validate_python(name) == name)
    except ValidationError:
        return False


@pytest.mark.parametrize("name", ["u.pt", "user_cls 64.pt", "ü-1.2.pt", "a.b.pt"])
def test_names_that_end_in_pt_are_vectors(name: str) -> None:
    assert _accepts(VectorFileName, name)


@pytest.mark.parametrize("name", [*OUTSIDE, *NOT_VECTORS])
def test_paths_and_other_files_are_no_vectors(name: str) -> None:
    assert not _accepts(VectorFileName, name)


@pytest.mark.parametrize("name", OUTSIDE[:-1])
def test_profiles_are_named_too(name: str) -> None:
    assert _accepts(ProfileFileName, "users.json")
    assert not _accepts(ProfileFileName, name)


@pytest.mark.parametrize(
    ("settings", "step", "where"),
    [
        ("", "reduce_dim: {file_in: ../u.pt, file_out: u2.pt, dimension: 2}", "reduce_dim.file_in"),
        ("", "reduce_dim: {file_in: u.pt, file_out: ../u.pt, dimension: 2}", "reduce_dim.file_out"),
        ("", "encode_profiles: {users_file: ../u.pt}", "encode_profiles.users_file"),
        ("", "encode_profiles: {items_file: ../u.pt}", "encode_profiles.items_file"),
        ("", "wrap_model: {distil_loss: rmse, users_emb_file: ../u.pt}", "wrap_model.users_emb_file"),
        ("", "wrap_model: {distil_loss: rmse, items_emb_file: ../u.pt}", "wrap_model.items_emb_file"),
        ("llm_config: {default_users_emb_file: ../u.pt}\n", "init_model", "llm_config.default_users_emb_file"),
        ("llm_config: {default_items_emb_file: ../u.pt}\n", "init_model", "llm_config.default_items_emb_file"),
        (
            "llm_config: {preprocess_from_json: {from: u.json, to: ../u.pt}}\n",
            "init_model",
            "llm_config.preprocess_from_json.to",
        ),
        (
            "llm_config: {preprocess_random: {random: True, random_users_emb_file: ../u.pt}}\n",
            "init_model",
            "llm_config.preprocess_random.random_users_emb_file",
        ),
    ],
)
def test_no_scenario_reaches_out_of_the_folder_of_vectors(settings: str, step: str, where: str, build: Any) -> None:
    with pytest.raises(ScenarioError) as caught:
        build(f"model: NeuMF\ndataset: ml-100k\n{settings}scenario: [{step}]\n")
    assert f"{where}: got '../u.pt'; accepted: a file name that ends in .pt, without a folder or a leading dot" in str(
        caught.value
    )
