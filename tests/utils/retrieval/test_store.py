"""Subgraph files come back as they were written, and a file that contradicts itself is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from utils.retrieval.base import Retrieved
from utils.retrieval.store import SubgraphError, SubgraphFile, read_subgraphs, write_subgraphs

CENTRES = np.array([[[4, 2], [3, -1]], [[-1, -1], [0, 9]]], dtype=np.int32)
SCORES = np.array([[[0.9, 0.5], [0.4, 0]], [[0, 0], [0.8, -0.1]]], dtype=np.float32)
FILE = SubgraphFile(("u7", "u3"), Retrieved(CENTRES, SCORES, (1, 2)), 64, "f1n", {"dataset": "tiny", "top_k": 3})


def _content(path: Path) -> dict[str, Any]:
    write_subgraphs(path, FILE)
    return torch.load(path, weights_only=True)


def _refused(path: Path, n_nodes: int | None = None) -> str:
    with pytest.raises(SubgraphError) as caught:
        read_subgraphs(path, n_nodes)
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
