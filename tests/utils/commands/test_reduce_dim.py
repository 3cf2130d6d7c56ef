"""`reduce_dim`: what is written, what is kept, what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from tests.workspace import ITEMS, TRAIN, USERS, Run, Workspace, metrics
from utils.data.embeddings import read_vectors


def _reduce(workspace: Workspace, **params: Any) -> Run:
    step = {"reduce_dim": {"file_in": "u.pt", "file_out": "u2.pt", "dimension": 2, **params}}
    return workspace.run([step], "reduce")


def test_tokens_and_origin_go_along_and_the_hash_of_the_texts_does_not(tiny: Workspace) -> None:
    # By `content`, encode_profiles would take these for vectors that it has encoded.
    tiny.save_vectors("u.pt", USERS, train_fingerprint="abc", content="texts", seed=3)
    run = _reduce(tiny, method="pca")
    file = read_vectors(tiny.vectors / "u2.pt")
    assert file.vectors.shape == (30, 2)
    assert file.tokens == tuple(USERS)
    assert file.meta == {
        "train_fingerprint": "abc",
        "made_from": read_vectors(tiny.vectors / "u.pt").content_hash(),
        "reduced_from": "u.pt",
        "method": "pca",
        "dimension": 2,
    }
    assert run.facts("reduce_dim")["rows"] == 30


def test_the_default_method_is_said(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    line = _reduce(tiny).console.lines[1]
    assert line.startswith("        u2.pt: (30, 8) -> (30, 2), ")
    assert "% of the variance (method pca; LLM-KT's default was umap)" in line
    assert "LLM-KT" not in _reduce(tiny, method="pca", overwrite=True).console.text


SOMETHING_ELSE = re.compile(
    r"reduce_dim\.file_out: u2\.pt holds something else \((.+) is (.+) there and (.+) here\); "
    "set overwrite: True, or name another file"
)


def _refusal(run: Run) -> str:
    return str((run.record.error or {})["message"])


@pytest.mark.parametrize("method", ["pca", "whiten", "rec_pca", "random_projection", "umap"])
def test_a_file_made_from_the_same_vectors_is_kept(method: str, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, side="users")
    _reduce(tiny, method=method)
    before = (tiny.vectors / "u2.pt").read_bytes()
    kept = _reduce(tiny, method=method)
    assert kept.console.lines[1] == "        u2.pt is kept: made from the same vectors"
    assert kept.facts("reduce_dim") == {"kept": True}
    assert (tiny.vectors / "u2.pt").read_bytes() == before
    # The same vectors under another name.
    (tiny.vectors / "u.pt").rename(tiny.vectors / "v.pt")
    assert _reduce(tiny, method=method, file_in="v.pt").facts("reduce_dim") == {"kept": True}


def test_a_file_of_other_vectors_or_tokens_is_not_kept(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    _reduce(tiny)
    tiny.save_vectors("u.pt", list(reversed(USERS)))
    assert SOMETHING_ELSE.fullmatch(_refusal(_reduce(tiny)))
    assert read_vectors(tiny.vectors / "u2.pt").tokens == tuple(USERS)
    assert _reduce(tiny, overwrite=True).record.status == "done"
    assert read_vectors(tiny.vectors / "u2.pt").tokens == tuple(reversed(USERS))


def test_a_file_of_texts_of_another_train_part_is_not_kept(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS, train_fingerprint="abc")
    _reduce(tiny)
    tiny.save_vectors("u.pt", USERS, train_fingerprint="def")
    assert SOMETHING_ELSE.fullmatch(_refusal(_reduce(tiny)))


@pytest.mark.parametrize(
    ("params", "other"),
    [
        ({}, {"dimension": 3}),
        ({}, {"method": "umap"}),
        ({}, {"normalize": True}),
        ({"method": "whiten"}, {"epsilon": 0.1}),
        ({"method": "rec_pca", "side": "users"}, {"smoothness": 0.1}),
    ],
)
def test_a_file_made_in_another_way_is_not_kept(params: dict[str, Any], other: dict[str, Any], tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    _reduce(tiny, **params)
    assert SOMETHING_ELSE.fullmatch(_refusal(_reduce(tiny, **params, **other)))


@pytest.mark.parametrize("method", ["pca", "random_projection", "umap"])
def test_all_seeds_of_a_scenario_share_the_reduced_vectors(method: str, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    step = {"reduce_dim": {"file_in": "u.pt", "file_out": "u2.pt", "dimension": 2, "method": method}}
    tiny.run([step], "seed_7", seed=7)
    assert tiny.run([step], "seed_8", seed=8).facts("reduce_dim") == {"kept": True}


def test_a_seed_of_its_own_makes_other_axes(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    _reduce(tiny, method="random_projection", seed=1)
    assert SOMETHING_ELSE.fullmatch(_refusal(_reduce(tiny, method="random_projection", seed=2)))[1] == "seed"


@pytest.mark.parametrize("content", [torch.ones(30, 2), {"vectors": torch.ones(30, 2), "tokens": USERS}])
def test_a_file_that_was_not_reduced_here_is_not_kept(content: Any, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    torch.save(content, tiny.vectors / "u2.pt")
    assert SOMETHING_ELSE.fullmatch(_refusal(_reduce(tiny)))
    assert _reduce(tiny, overwrite=True).record.status == "done"


def test_a_file_that_cannot_be_read_is_replaced_when_asked(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    (tiny.vectors / "u2.pt").write_text("not torch's")
    assert _refusal(_reduce(tiny)) == (
        "reduce_dim.file_out: datasets/llm_embeddings/tiny/u2.pt cannot be read: it is no whole torch file; "
        "set overwrite: True, or name another file"
    )
    assert _reduce(tiny, overwrite=True).record.status == "done"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"dimension": 9}, "u.pt: the vectors are (30, 8); pca gives at most 8 axes"),
        ({"dimension": 29, "method": "umap"}, "u.pt: the vectors have 30 rows; umap gives at most 28 axes"),
    ],
)
def test_more_axes_than_there_can_be_are_refused(params: dict[str, Any], said: str, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    assert _refusal(_reduce(tiny, **params)) == f"reduce_dim.dimension: {said}"


def _problems(workspace: Workspace, **params: Any) -> list[str]:
    from utils.scenario.errors import ScenarioError

    with pytest.raises(ScenarioError) as caught:
        _reduce(workspace, **params)
    return [problem.message for problem in caught.value.problems]


def test_a_parameter_that_the_method_does_not_read_is_refused(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    assert _problems(tiny, epsilon=0.1, smoothness=2.0, side="users", method="pca") == [
        "reduce_dim.epsilon: method pca does not read it, whiten does; remove it",
        "reduce_dim.smoothness: method pca does not read it, rec_pca does; remove it",
        "reduce_dim.side: method pca does not read it, rec_pca does; remove it",
    ]


def test_rows_of_length_1_are_written_with_the_map_to_what_they_were(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    _reduce(tiny, normalize=True)
    file = read_vectors(tiny.vectors / "u2.pt")
    torch.testing.assert_close(file.vectors.norm(dim=1), torch.ones(30))
    assert file.projection is not None
    mapped = file.projection(read_vectors(tiny.vectors / "u.pt").vectors)
    torch.testing.assert_close(mapped / mapped.norm(dim=1, keepdim=True), file.vectors, atol=1e-5, rtol=1e-5)
    assert file.meta["normalize"] is True


RANDOM_SPLIT = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}
REC_PCA = {"reduce_dim": {"file_in": "i.pt", "file_out": "i2.pt", "dimension": 2, "method": "rec_pca"}}


def test_rec_pca_says_which_train_part_it_read(tiny: Workspace) -> None:
    tiny.save_vectors("i.pt", [*ITEMS, "i99"], side="items", dataset="tiny")
    run = tiny.run([REC_PCA], "rec", eval_args=RANDOM_SPLIT)
    file = read_vectors(tiny.vectors / "i2.pt")
    assert file.meta["train_fingerprint"] == tiny.context(eval_args=RANDOM_SPLIT).train_fingerprint
    assert (file.meta["smoothness"], file.meta["side"]) == (1.0, "items")
    assert ", smooth over 40 of 41 items" in run.console.lines[1]
    # The vectors themselves did not say what they were made from.
    assert not file.origin_known
    wrap = {"wrap_model": {"distil_loss": "rmse", "items_emb_file": "i2.pt"}}
    other = tiny.run(["init_model", wrap], "other", eval_args=RANDOM_SPLIT, seed=8)
    assert "i2.pt was written from another train part than this run's" in _refusal(other)


def test_rec_pca_reads_the_train_part_only(tiny: Workspace) -> None:
    from utils.recbole_port.train_part import train_pairs

    ctx = tiny.context()
    pairs = train_pairs(ctx.recbole_config(), ctx.data)
    tiny.save_vectors("i.pt", ITEMS, side="items")
    tiny.run([REC_PCA], "rec")
    reduced = read_vectors(tiny.vectors / "i2.pt")
    from utils.data.reduce.baskets import baskets_of
    from utils.data.reduce.methods import reduce_vectors

    expected = reduce_vectors(
        read_vectors(tiny.vectors / "i.pt").vectors,
        2,
        "rec_pca",
        smoothness=1.0,
        baskets=baskets_of(ITEMS, pairs["item_id"], pairs["user_id"]),
    )
    torch.testing.assert_close(reduced.vectors, expected.vectors, atol=1e-5, rtol=1e-5)


def test_users_are_close_by_the_items_that_they_share(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    run = _reduce(tiny, method="rec_pca", side="users", smoothness=2)
    assert ", smooth over 30 of 30 users" in run.console.lines[1]
    assert read_vectors(tiny.vectors / "u2.pt").meta["side"] == "users"


def test_rec_pca_changes_no_result(tiny: Workspace) -> None:
    tiny.save_vectors("i.pt", ITEMS, side="items")
    plain, after = tiny.run(TRAIN, "plain"), tiny.run([REC_PCA, *TRAIN], "after")
    assert metrics(after.record) == metrics(plain.record)


@pytest.mark.parametrize(
    ("tokens", "meta", "params", "said"),
    [
        (
            USERS,
            {},
            {},
            "side: u.pt does not say whose vectors it holds; give side: users or side: items",
        ),
        (USERS, {"side": "users"}, {"side": "items"}, "side: u.pt holds vectors of users, not of items"),
        (USERS, {"side": "users", "dataset": "ml-1m"}, {}, "file_in: u.pt holds vectors of ml-1m, not of tiny"),
        (
            USERS,
            {"side": "users", "train_fingerprint": "abc"},
            {},
            "file_in: u.pt was written from another train part than this run's, so it may hold test items; "
            "encode it again under this scenario's split and seed",
        ),
        (
            ["x1", "x2", "x3"],
            {"side": "users"},
            {},
            "file_in: none of its tokens (x1, x2, x3, ...) is one of the users of the train part (u1, u2, u3, ...); "
            "it was made for another dataset, or for the other side",
        ),
    ],
)
def test_vectors_that_do_not_fit_the_train_part_are_refused(
    tokens: list[str], meta: dict[str, str], params: dict[str, Any], said: str, tiny: Workspace
) -> None:
    tiny.save_vectors("u.pt", tokens, **meta)
    assert _refusal(_reduce(tiny, method="rec_pca", **params)) == f"reduce_dim.{said}"
    assert not (tiny.vectors / "u2.pt").exists()


def test_a_setting_of_the_dataset_comes_too_late_after_rec_pca_and_not_after_pca(tiny: Workspace) -> None:
    from utils.scenario.errors import ScenarioError

    tiny.save_vectors("i.pt", ITEMS, side="items")
    late = [REC_PCA, {"set_config": {"seed": 5}}, "init_model"]
    with pytest.raises(ScenarioError, match="seed comes too late: 'reduce_dim' has loaded the dataset already"):
        tiny.run(late, "late")
    pca = {"reduce_dim": {**REC_PCA["reduce_dim"], "method": "pca"}}
    assert tiny.run([pca, *late[1:]], "early").record.status == "done"
