"""Samples: each target with what was liked before it, by hand on a few users, and the same for every kind of model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.workspace import ITEMS, SASREC, Workspace
from utils.knowledge.histories import histories
from utils.knowledge.samples import SPLITS, Samples, Split, known_items, samples_of, why_not_in_time
from utils.scenario.errors import StepError

# (item, rating, time) of each user in time order; the last two are for validation and test.
BY_HAND = {
    "u1": [("i1", 5, 1), ("i2", 2, 2), ("i3", 4, 3), ("i4", 1, 4), ("i5", 5, 5), ("i6", 3, 6)],
    # Likes nothing before i8, and does not like i9.
    "u2": [("i7", 1, 1), ("i8", 5, 2), ("i9", 2, 3), ("i10", 4, 4)],
    # Likes nothing at all.
    "u3": [("i1", 1, 1), ("i2", 1, 2), ("i3", 1, 3), ("i4", 1, 4)],
    # Three items of one moment.
    "u4": [("i11", 5, 1), ("i13", 5, 1), ("i12", 5, 1), ("i14", 5, 2), ("i15", 5, 3)],
}
HELD_OUT: tuple[Split, Split] = ("valid", "test")
TITLED = ["a title"] * len(ITEMS)


@pytest.fixture
def by_hand(tiny: Workspace) -> Workspace:
    lines = [f"{user}\t{item}\t{rating}\t{time}" for user, own in BY_HAND.items() for item, rating, time in own]
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    path = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return tiny


def told(ctx: Any, own: Samples) -> list[tuple[str, str, list[str]]]:
    """(user, target, history) of each sample, as tokens."""
    tokens = ctx.data.dataset.field2id_token["item_id"][1:]
    return [
        (user, tokens[target], [tokens[item] for item in history if item >= 0])
        for user, target, history in zip(own.users, own.targets, own.histories, strict=True)
    ]


def test_a_history_is_what_was_liked_last_before_the_target(by_hand: Workspace) -> None:
    ctx = by_hand.context()
    found, counts = samples_of(ctx, 2, 4, 2, TITLED)
    assert told(ctx, found["train"]) == [
        ("u1", "i3", ["i1"]),
        ("u1", "i4", ["i1", "i3"]),
        # Of one moment the smaller token is the later one: i13, i12, i11.
        ("u4", "i12", ["i13"]),
        ("u4", "i11", ["i13", "i12"]),
    ]
    assert told(ctx, found["valid"]) == [
        ("u1", "i5", ["i1", "i3"]),
        ("u2", "i9", ["i8"]),
        ("u4", "i14", ["i12", "i11"]),
    ]
    assert told(ctx, found["test"]) == [
        ("u1", "i6", ["i3", "i5"]),
        ("u2", "i10", ["i8"]),
        ("u4", "i15", ["i11", "i14"]),
    ]
    # Two targets of each of four users; u2 and u3 like nothing before theirs, u3 not later either.
    assert counts == {
        "train": {"asked": 8, "skipped": 4, "untitled": 0},
        "valid": {"asked": 4, "skipped": 1, "untitled": 0},
        "test": {"asked": 4, "skipped": 1, "untitled": 0},
    }


def test_without_a_rating_every_item_counts(by_hand: Workspace) -> None:
    ctx = by_hand.context()
    found, counts = samples_of(ctx, 3, None, 9, TITLED)
    own = [(target, history) for user, target, history in told(ctx, found["train"]) if user == "u2"]
    # i7 was the first: nothing came before it.
    assert own == [("i8", ["i7"])]
    # Of 9 latest items there are 4 + 2 + 2 + 3; the first of each user has no history.
    assert counts["train"] == {"asked": 11, "skipped": 4, "untitled": 0}
    assert found["test"].histories.shape == (4, 3)


def test_an_item_without_a_title_is_no_target_but_stays_in_histories(by_hand: Workspace) -> None:
    ctx = by_hand.context()
    tokens = ctx.data.dataset.field2id_token["item_id"][1:]
    found, counts = samples_of(ctx, 2, 4, 2, ["" if token == "i3" else "a title" for token in tokens])
    assert [row for row in told(ctx, found["train"]) if row[0] == "u1"] == [("u1", "i4", ["i1", "i3"])]
    assert counts["train"] == {"asked": 8, "skipped": 4, "untitled": 1}


def test_known_are_the_items_up_to_the_split_of_the_target(by_hand: Workspace) -> None:
    ctx = by_hand.context()
    known = known_items(ctx)
    tokens = ctx.data.dataset.field2id_token["item_id"][1:]
    of_u1 = {split: {tokens[item] for item in known[split]["u1"]} for split in SPLITS}
    train = {"i1", "i2", "i3", "i4"}
    assert of_u1 == {"train": train, "valid": train | {"i5"}, "test": train | {"i5", "i6"}}
    assert len(known["train"]["u1"]) == 4


@pytest.fixture(scope="module")
def of_general(workspace: Workspace) -> tuple[Any, dict[Split, Samples]]:
    ctx = workspace.context()
    return ctx, samples_of(ctx, 5, 4, 3, TITLED)[0]


@pytest.mark.parametrize("settings", [SASREC, {**SASREC, "train_rows": "prefix"}, {"model": "NeuMF"}])
def test_every_kind_of_model_has_the_same_samples(
    of_general: tuple[Any, dict[Split, Samples]], workspace: Workspace, settings: dict[str, Any]
) -> None:
    general, expected = of_general
    ctx = workspace.context(**settings)
    found, _ = samples_of(ctx, 5, 4, 3, TITLED)
    assert ctx.train_fingerprint == general.train_fingerprint
    assert {split: told(ctx, own) for split, own in found.items()} == {
        split: told(general, own) for split, own in expected.items()
    }
    ours, theirs = known_items(ctx), known_items(general)
    for split in SPLITS:
        assert {user: items.tolist() for user, items in ours[split].items()} == {
            user: items.tolist() for user, items in theirs[split].items()
        }


def test_no_item_that_is_held_back_is_in_an_earlier_history(
    of_general: tuple[Any, dict[Split, Samples]],
) -> None:
    found = of_general[1]
    valid, test = (dict(zip(found[part].users, found[part].targets.tolist(), strict=True)) for part in HELD_OUT)
    for split, own in found.items():
        for user, target, history in zip(own.users, own.targets.tolist(), own.histories.tolist(), strict=True):
            assert test[user] not in history
            # The valid item is known when the test item is asked for, and not before.
            assert split == "test" or valid[user] not in history
            assert split != "train" or target not in {valid[user], test[user]}


def test_a_valid_target_follows_on_the_history_of_the_train_part(
    of_general: tuple[Any, dict[Split, Samples]],
) -> None:
    ctx, found = of_general
    own = histories(ctx, 5, 4)
    assert found["valid"].users == own.users
    np.testing.assert_array_equal(found["valid"].histories, own.items, strict=True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"split": {"RS": [0.8, 0.1, 0.1]}},
            "samples need a split by time, and eval_args has {split: {RS: [0.8, 0.1, 0.1]}, order: TO}; "
            "set eval_args: {split: {LS: valid_and_test}, order: TO}",
        ),
        ({"order": "RO"}, "eval_args has {split: {LS: valid_and_test}, order: RO}"),
        ({"split": {"LS": "test_only"}}, "eval_args has {split: {LS: test_only}, order: TO}"),
    ],
)
def test_another_split_has_no_samples_and_says_what_to_set(
    workspace: Workspace, changed: dict[str, Any], said: str
) -> None:
    in_time = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}
    with pytest.raises(StepError) as caught:
        samples_of(workspace.context(eval_args={**in_time, **changed}), 5, 4, 3, TITLED)
    assert caught.value.parameter == "train_windows"
    assert said in caught.value.message


def test_parts_that_lie_in_files_are_no_split_by_time() -> None:
    args = {"split": {"LS": "valid_and_test"}, "order": "TO"}
    assert why_not_in_time({"eval_args": args, "benchmark_filename": None}) is None
    said = why_not_in_time({"eval_args": args, "benchmark_filename": ["train", "valid", "test"]})
    assert said == (
        "the parts lie in files (benchmark_filename); remove it and "
        "set eval_args: {split: {LS: valid_and_test}, order: TO}"
    )


def test_drawn_windows_are_any_targets_that_follow_on_a_history(by_hand: Workspace) -> None:
    ctx = by_hand.context()
    every = told(ctx, samples_of(ctx, 2, 4, 9, TITLED)[0]["train"])
    # Of u1 follow i2, i3 and i4 on a history, of u4 i12 and i11; of u2 and u3 nothing.
    assert [(user, target) for user, target, _ in every] == [
        ("u1", "i2"), ("u1", "i3"), ("u1", "i4"), ("u4", "i12"), ("u4", "i11"),
    ]  # fmt: skip
    seen = set()
    for seed in range(12):
        found, counts = samples_of(by_hand.context(seed=seed), 2, 4, 1, TITLED, "random")
        drawn = told(ctx, found["train"])
        assert [user for user, _, _ in drawn] == ["u1", "u4"]
        assert all(row in every for row in drawn)
        assert counts["train"] == {"asked": 2, "skipped": 0, "untitled": 0}
        seen |= {target for _, target, _ in drawn}
    # In twelve seeds each of three is missed with a chance of (2/3)^12 = .008, each of two with (1/2)^12 = .0002.
    assert seen == {"i2", "i3", "i4", "i12", "i11"}


def test_drawn_windows_are_the_same_under_the_same_seed(by_hand: Workspace) -> None:
    ctx = by_hand.context()
    first, second = (told(ctx, samples_of(ctx, 2, 4, 2, TITLED, "random")[0]["train"]) for _ in range(2))
    assert first == second
