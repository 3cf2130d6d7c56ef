"""The vectors that a model is built with are named by its settings, and wrong names are found before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from utils.recbole_port import known_defaults
from utils.scenario.model_vectors import model_vectors
from utils.scenario.own_settings import find_own_misfits
from utils.scenario.settings import effective

DCN = {"model": "DCNKAR", "dataset": "tiny", "users_emb_file": "u.pt", "items_emb_file": "i.pt"}
NO_ITEMS = {"items_emb_file": None}


def _messages(given: dict[str, Any]) -> list[str]:
    return [finding.message for finding in find_own_misfits(given["model"], effective(given), given)]


def _files(given: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {side: (named.setting, named.file) for side, named in model_vectors(given).items()}


def test_each_side_has_a_vector_file_or_a_profile_json() -> None:
    assert _files(DCN) == {"users": ("users_emb_file", "u.pt"), "items": ("items_emb_file", "i.pt")}
    profiles = {"user_profile_json": "user.json", "users_emb_file": None, **NO_ITEMS}
    assert _files({**DCN, **profiles}) == {"users": ("user_profile_json", "user.json")}


def test_a_model_that_takes_no_vectors_is_built_with_none() -> None:
    assert _files({**DCN, "model": "DCN"}) == {}
    assert _files({**DCN, "model": "DCNKRA"}) == {}


@pytest.mark.parametrize(
    "given",
    [
        {},
        NO_ITEMS,
        {"shared_kar_experts_n": 0, "item_kar_experts_n": 1},
        {"user_kar_emb": 64, "item_kar_emb": 64, "output_kar_dim": 32},
        # As a resolved scenario has it.
        {**known_defaults.defaults("DCNKAR"), **DCN, **NO_ITEMS},
    ],
)
def test_what_fits_passes(given: dict[str, Any]) -> None:
    assert _messages({**DCN, **given}) == []


PT = "accepted: a file name that ends in .pt, without a folder or a leading dot"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"users_emb_file": None, **NO_ITEMS}, "DCNKAR needs vectors; set users_emb_file and/or items_emb_file"),
        ({"users_emb_file": "../u.pt"}, f"users_emb_file: got '../u.pt'; {PT}"),
        ({"users_emb_file": 64}, f"users_emb_file: got 64; {PT}"),
        ({"items_emb_file": "i.json"}, f"items_emb_file: got 'i.json'; {PT}"),
        ({"user_profile_json": "u.json"}, "user_profile_json: users_emb_file names vectors of the same side; keep one"),
        ({"user_kar_emb": "64"}, "user_kar_emb: got '64'; accepted: a whole number, 1 or more"),
        ({"output_kar_dim": 0}, "output_kar_dim: got 0; accepted: a whole number, 1 or more"),
        ({"user_kar_experts_n": 2.5}, "user_kar_experts_n: got 2.5; accepted: a whole number, 0 or more"),
        ({"shared_kar_experts_n": -1}, "shared_kar_experts_n: got -1; accepted: a whole number, 0 or more"),
        (
            {"shared_kar_experts_n": 0, "item_kar_experts_n": 0},
            "item_kar_experts_n: got 0 with shared_kar_experts_n: 0; accepted: a whole number, 1 or more",
        ),
        ({**NO_ITEMS, "item_kar_experts_n": 3}, "item_kar_experts_n is not read without vectors of items; remove it"),
        ({**NO_ITEMS, "item_kar_emb": 64}, "item_kar_emb is not read without vectors of items; remove it"),
    ],
)
def test_what_does_not_fit_is_said(given: dict[str, Any], message: str) -> None:
    (found,) = _messages({**DCN, **given})
    assert found.startswith(message)
