"""Vectors as a recommender takes them: gaps filled as asked, controls in their place, what is unfit refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.transfer.teachers import Teacher
from tests.workspace import ITEMS, USERS, Workspace
from utils.data.embeddings import VectorFile, write_vectors
from utils.knowledge.vectors import load_vectors
from utils.scenario.errors import StepError

# Users 1 to 20 of 30 have vectors, two columns wide; RecBole's row 0 is padding.
KNOWN = USERS[:20]


def _save(tiny: Workspace, name: str = "u.pt", tokens: list[str] = KNOWN, **meta: Any) -> None:
    """The n-th token has (n, n + 1)."""
    count = torch.arange(1.0, len(tokens) + 1)
    write_vectors(tiny.vectors / name, VectorFile(torch.stack([count, count + 1], dim=1), tuple(tokens), meta))


def _load(tiny: Workspace, side: Any = "users", name: str = "u.pt", seed: int = 7, **options: Any) -> Teacher:
    setting = {"control": options.pop("setting")} if "setting" in options else {}
    return load_vectors(tiny.context(seed=seed, **setting), side, name, f"{side}_emb_file", **options)[0]


def _rows(tiny: Workspace, tokens: list[str], field: str = "user_id") -> list[int]:
    """RecBole's rows of these tokens."""
    from utils.recbole_port import session

    ids = session.id_map(tiny.context().data, field)
    return [ids.tokens.index(token) for token in tokens]


def test_each_row_has_the_vector_of_its_own_token(tiny: Workspace) -> None:
    _save(tiny)
    teacher = _load(tiny)
    for number, row in enumerate(_rows(tiny, KNOWN), start=1):
        assert teacher.vectors[row].tolist() == [number, number + 1]
    assert int(teacher.present.sum()) == 20
    assert not teacher.present[_rows(tiny, USERS[20:])].any()


def test_the_coverage_is_told(tiny: Workspace) -> None:
    _save(tiny)
    assert load_vectors(tiny.context(), "users", "u.pt", "users_emb_file")[1] == "20 of 30 users"


@pytest.mark.parametrize(
    ("missing", "vector"),
    # The mean of 1 to 20 is 10.5.
    [("zero", [0, 0]), ("mean", [10.5, 11.5])],
)
def test_what_is_missing_is_zero_or_the_mean_of_the_others(missing: Any, vector: list[float], tiny: Workspace) -> None:
    _save(tiny)
    teacher = _load(tiny, missing=missing)
    lacking = _rows(tiny, USERS[20:])
    assert teacher.vectors[lacking].tolist() == [vector] * 10
    assert teacher.present[1:].all()
    assert not teacher.present[0]
    assert teacher.vectors[0].tolist() == [0, 0]


def test_what_is_missing_is_an_error_where_none_may_be(tiny: Workspace) -> None:
    _save(tiny)
    with pytest.raises(StepError) as caught:
        _load(tiny, missing="error")
    assert caught.value.message == "10 of 30 users have no vector in u.pt; missing: skip leaves them out"
    _save(tiny, tokens=USERS)
    assert _load(tiny, missing="error").complete


@pytest.mark.parametrize(
    "how", [{"control": "random"}, {"setting": "random"}, {"setting": "random", "control": "none"}]
)
def test_random_vectors_keep_their_lengths(how: dict[str, Any], tiny: Workspace) -> None:
    _save(tiny)
    plain, made = _load(tiny), _load(tiny, **how)
    torch.testing.assert_close(made.vectors.norm(dim=1), plain.vectors.norm(dim=1))
    assert torch.equal(made.present, plain.present)
    assert not torch.allclose(made.vectors, plain.vectors)


def test_a_seed_has_its_own_control(tiny: Workspace) -> None:
    _save(tiny)
    first, again, other = (_load(tiny, control="random", seed=seed).vectors for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_shuffled_vectors_are_the_same_ones_and_nobodys_own(tiny: Workspace) -> None:
    _save(tiny)
    plain, made = _load(tiny), _load(tiny, control="shuffled")
    own = (plain.vectors == made.vectors).all(dim=1) & plain.present
    assert not own.any()
    assert sorted(made.vectors.tolist()) == sorted(plain.vectors.tolist())


def test_users_and_items_are_drawn_apart(tiny: Workspace) -> None:
    _save(tiny, "u.pt", USERS)
    _save(tiny, "i.pt", ITEMS)
    users, items = _load(tiny, control="random"), _load(tiny, "items", "i.pt", control="random")
    directions = [one.vectors[1:31] / one.vectors[1:31].norm(dim=1, keepdim=True) for one in (users, items)]
    assert not torch.isclose(*directions).all(dim=1).any()


def test_a_scenario_that_runs_as_a_control_is_stronger_than_a_step(tiny: Workspace) -> None:
    _save(tiny)
    assert torch.equal(
        _load(tiny, setting="shuffled", control="random").vectors, _load(tiny, control="shuffled").vectors
    )


def test_a_plain_twin_reads_the_vectors_as_they_are(tiny: Workspace) -> None:
    # So that a file that cannot be used fails in the twin as well.
    _save(tiny)
    assert torch.equal(_load(tiny, setting="plain").vectors, _load(tiny).vectors)


def test_vectors_of_another_train_part_are_refused(tiny: Workspace) -> None:
    _save(tiny, train_fingerprint="another")
    with pytest.raises(StepError) as caught:
        _load(tiny)
    assert caught.value.parameter == "users_emb_file"
    assert "u.pt was written from another train part than this run's, so it may hold test items" in caught.value.message


def test_vectors_of_this_train_part_are_taken(tiny: Workspace) -> None:
    _save(tiny, train_fingerprint=tiny.context().train_fingerprint)
    assert int(_load(tiny).present.sum()) == 20


def test_a_missing_file_is_blamed_on_its_parameter(tiny: Workspace) -> None:
    _save(tiny, "user.pt")
    with pytest.raises(StepError) as caught:
        _load(tiny, name="users.pt")
    assert caught.value.parameter == "users_emb_file"
    assert "did you mean 'user.pt'" in caught.value.message
