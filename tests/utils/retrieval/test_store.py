"""Subgraph files come back as they were written, and a file that contradicts itself is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from utils.retrieval.base import Retrieved
from utils.retrieval.store import SampleSubgraphs, SubgraphError, SubgraphFile, read_subgraphs, write_subgraphs

CENTRES = np.array([[[4, 2], [3, -1]], [[-1, -1], [0, 9]]], dtype=np.int32)
SCORES = np.array([[[0.9, 0.5], [0.4, 0]], [[0, 0], [0.8, -0.1]]], dtype=np.float32)
FILE = SubgraphFile(("u7", "u3"), Retrieved(CENTRES, SCORES, (1, 2)), 64, "f1n", {"dataset": "tiny", "top_k": 3})
# One user twice, as in train: first item 8 on the history 3, then item 0 on the history 3, 8.
TRAIN = SampleSubgraphs(
    ("u7", "u7"),
    np.array([8, 0], dtype=np.int32),
    np.array([[3, -1], [3, 8]], dtype=np.int32),
    Retrieved(CENTRES[::-1].copy(), SCORES[::-1].copy(), (1, 2)),
)
NO_TEST = SampleSubgraphs(
    (), np.zeros(0, np.int32), np.zeros((0, 2), np.int32), Retrieved(CENTRES[:0], SCORES[:0], (1, 2))
)
SAMPLED = replace(FILE, samples={"train": TRAIN, "test": NO_TEST})


def _content(path: Path, file: SubgraphFile = FILE) -> dict[str, Any]:
    write_subgraphs(path, file)
    return torch.load(path, weights_only=True)


def _refused(path: Path, n_nodes: int | None = None, n_items: int | None = None) -> str:
    with pytest.raises(SubgraphError) as caught:
        read_subgraphs(path, n_nodes, n_items)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.pt"
    write_subgraphs(path, FILE)
    back = read_subgraphs(path, n_nodes=10)
    assert (back.users, back.max_neighbors, back.fingerprint, back.meta) == (
        ("u7", "u3"),
        64,
        "f1n",
        {"dataset": "tiny", "top_k": 3},
    )
    np.testing.assert_array_equal(back.retrieved.centres, CENTRES, strict=True)
    np.testing.assert_array_equal(back.retrieved.scores, SCORES, strict=True)
    assert (back.retrieved.orders, back.retrieved.expansion, back.retrieved.hops) == ((1, 2), "star", 1)


def test_balls_keep_their_hops(tmp_path: Path) -> None:
    ball = Retrieved(CENTRES[:, :1], SCORES[:, :1], (1,), "ball", 3)
    write_subgraphs(tmp_path / "s.pt", replace(FILE, retrieved=ball))
    back = read_subgraphs(tmp_path / "s.pt").retrieved
    assert (back.orders, back.expansion, back.hops) == ((1,), "ball", 3)


def test_a_user_more_takes_eight_bytes_for_each_centre_and_the_token(tmp_path: Path) -> None:
    def size(n_users: int) -> int:
        shape = (n_users, 2, 5)
        centres = np.broadcast_to(np.arange(10, dtype=np.int32).reshape(2, 5), shape).copy()
        retrieved = Retrieved(centres, np.zeros(shape, np.float32), (1, 2))
        path = tmp_path / f"{n_users}.pt"
        write_subgraphs(path, SubgraphFile(tuple(map(str, range(n_users))), retrieved, 64, "f", {}))
        return path.stat().st_size

    # 2 orders of 5: 40 bytes of centres and 40 of scores; the token and its frame are below 20.
    assert 80 <= (size(3_000) - size(1_000)) / 2_000 < 100


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": ["u7"]}, "s.pt has 1 users and centres of 2"),
        ({"users": ["u7", "u7"]}, "s.pt has the user 'u7' twice"),
        ({"users": ("u7", "u3")}, "s.pt: its users are tuple, not list"),
        (
            {"centres": torch.from_numpy(CENTRES).long()},
            "its centres are int64 [2, 2, 2]; they are [users, slots, n] int32",
        ),
        ({"centres": torch.from_numpy(CENTRES[0])}, "its centres are int32 [2, 2]; they are [users, slots, n] int32"),
        ({"scores": torch.from_numpy(SCORES).double()}, "its scores are float64 [2, 2, 2]"),
        ({"scores": torch.zeros(2, 2, 3)}, "its scores [2, 2, 3] are not one number for each centre"),
        ({"scores": torch.full((2, 2, 2), torch.nan)}, "its scores [2, 2, 2] are not one number for each centre"),
        ({"orders": (1,)}, "s.pt has 2 slots of orders [1]; each slot has 1 or 2"),
        ({"orders": (1, 3)}, "s.pt has 2 slots of orders [1, 3]; each slot has 1 or 2"),
        ({"expansion": "stars"}, "unknown expansion 'stars'; did you mean 'star'?"),
        ({"hops": 0}, "its hops is 0; it is 1 or more"),
        ({"max_neighbors": 2.5}, "its max_neighbors are float, not int"),
        ({"meta": None}, "its meta are NoneType, not dict"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    torch.save({**_content(path), **changed}, path)
    assert said in _refused(path)


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        ([-2, -1], "the user 'u3' has a centre below -1"),
        ([5, 5], "the user 'u3' has a centre twice in a slot"),
        ([-1, 5], "the user 'u3' has a centre after a -1"),
        ([5, 10], "the user 'u3' has a centre beyond the graph's 10 nodes"),
    ],
)
def test_centres_that_no_retriever_gives_are_refused(slot: list[int], said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    content = _content(path)
    content["centres"][1, 0] = torch.tensor(slot, dtype=torch.int32)
    torch.save(content, path)
    assert _refused(path, n_nodes=10) == f"s.pt: {said}"


def test_the_same_node_in_two_slots_is_no_fault(tmp_path: Path) -> None:
    both = np.zeros((1, 2, 1), dtype=np.int32)
    file = SubgraphFile(("u",), Retrieved(both, both.astype(np.float32), (1, 2)), 1, "f", {})
    write_subgraphs(tmp_path / "s.pt", file)
    assert read_subgraphs(tmp_path / "s.pt").retrieved.centres.tolist() == [[[0], [0]]]


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    wide = replace(FILE.retrieved, centres=CENTRES.astype(np.int64))
    with pytest.raises(SubgraphError, match="int64"):
        write_subgraphs(tmp_path / "s.pt", replace(FILE, retrieved=wide))
    assert not list(tmp_path.iterdir())


def test_samples_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_subgraphs(tmp_path / "s.pt", SAMPLED)
    back = read_subgraphs(tmp_path / "s.pt", n_nodes=10, n_items=9).samples
    assert list(back) == ["train", "test"]
    assert back["train"].users == ("u7", "u7")
    for name in ("targets", "histories"):
        np.testing.assert_array_equal(getattr(back["train"], name), getattr(TRAIN, name), strict=True)
    for name in ("centres", "scores"):
        found, expected = getattr(back["train"].retrieved, name), getattr(TRAIN.retrieved, name)
        np.testing.assert_array_equal(found, expected, strict=True)
    assert back["train"].retrieved.orders == (1, 2)
    assert (back["test"].users, back["test"].retrieved.centres.shape) == ((), (0, 2, 2))


def test_a_file_without_samples_says_so_even_if_it_does_not_know_of_any(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    content = _content(path)
    assert read_subgraphs(path).samples == {}
    torch.save({name: value for name, value in content.items() if name != "samples"}, path)
    assert read_subgraphs(path).samples == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": ["u7"]}, "s.pt has 1 samples and centres of 2 of train samples"),
        ({"targets": torch.tensor([8, 0])}, "the targets of train samples are int64 [2]; they are [samples] int32"),
        ({"targets": torch.zeros(3, dtype=torch.int32)}, "are int32 [3]; they are [samples] int32, of 2 samples"),
        ({"targets": torch.tensor([8, -1], dtype=torch.int32)}, "s.pt: the train sample 1 of 'u7' has no target"),
        ({"targets": [8, 0]}, "s.pt: its targets of train samples are list, not Tensor"),
        ({"histories": torch.zeros(2, dtype=torch.int32)}, "are int32 [2]; they are [samples, length] int32"),
        (
            {"histories": torch.tensor([[-1, -1], [3, 8]], dtype=torch.int32)},
            "s.pt: the train sample 0 of 'u7' has no history",
        ),
        (
            {"histories": torch.zeros(2, 0, dtype=torch.int32)},
            "s.pt: the train sample 0 of 'u7' has no history",
        ),
        ({"histories": torch.tensor([[3, -2], [3, 8]], dtype=torch.int32)}, "of 'u7' has an item below -1"),
        ({"histories": torch.tensor([[3, -1, 4], [3, 8, 1]], dtype=torch.int32)}, "has an item after a -1"),
        (
            {"histories": torch.tensor([[3, -1], [3, 9]], dtype=torch.int32)},
            "s.pt: the train sample 1 of 'u7' has an item beyond the dataset's 9",
        ),
        ({"scores": torch.zeros(2, 2, 3)}, "its scores of train samples [2, 2, 3] are not one number for each centre"),
        (
            {"centres": torch.full((2, 2, 2), 5, dtype=torch.int32)},
            "the train sample 0 of 'u7' has a centre twice in a",
        ),
        ({"centres": torch.zeros(2, 1, 2, dtype=torch.int32), "scores": torch.zeros(2, 1, 2)}, "1 slots of train sam"),
    ],
)
def test_samples_that_contradict_themselves_are_refused(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    content = _content(path, SAMPLED)
    torch.save({**content, "samples": {"train": {**content["samples"]["train"], **changed}}}, path)
    assert said in _refused(path, n_items=9)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([], "s.pt: its samples are list, not dict"),
        ({"train": []}, "s.pt: its train samples are list, not dict"),
        ({"train": {"users": []}}, "s.pt holds no targets of train samples"),
    ],
)
def test_what_is_no_samples_is_refused(samples: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    torch.save({**_content(path), "samples": samples}, path)
    assert _refused(path) == said


def test_an_unknown_split_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(
        SubgraphError, match="unknown split 'vaild'; did you mean 'valid'\\?; accepted: train, valid, te"
    ):
        write_subgraphs(tmp_path / "s.pt", replace(FILE, samples={"vaild": TRAIN}))
    other = replace(TRAIN, retrieved=replace(TRAIN.retrieved, expansion="ball", hops=2))
    with pytest.raises(SubgraphError, match="its users have expansion star, and its train samples ball"):
        write_subgraphs(tmp_path / "s.pt", replace(FILE, samples={"train": other}))
    assert not list(tmp_path.iterdir())


def test_other_files_are_no_subgraphs(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    assert _refused(path) == "no file s.pt"
    torch.save(torch.ones(2, 2), path)
    assert _refused(path) == "s.pt holds Tensor, not subgraphs"
    torch.save({"vectors": torch.ones(2, 2), "tokens": ["1", "2"], "meta": {}}, path)
    assert _refused(path) == "s.pt holds no users; it is no file of subgraphs"
    torch.save(FILE, path)
    assert _refused(path) == (
        "s.pt cannot be read: it holds a pickled utils.retrieval.store.SubgraphFile, which may run code"
    )
