"""The index: each text encoded once, kept for as long as it is right, and refused by name where it is not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.llm.encoder_spec import EncoderSpec
from models.llm.text_encoder import encode
from tests.models.llm.tiny_encoder import WIDTH, write_tiny_encoder
from tests.workspace import Workspace
from utils.data.embeddings import read_vectors
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.texts import NodeTexts
from utils.knowledge.kg_index import Unencoded, open_index
from utils.retrieval.base import Index
from utils.scenario.errors import StepError

# Nodes 0 to 3: a film, its twin of the same name, what they share, and something that says nothing.
TRIPLES = [("n0", "about", "n2"), ("n1", "about", "n2"), ("n1", "long", "n3")]
GRAPH = KnowledgeGraph.of(*zip(*TRIPLES, strict=True))
TEXTS = NodeTexts(("film a", "film a", "about space", ""), 2, 1, 0, 0, 1)
# Item i0 is n0; i1 has no node, i2 no title.
UNENCODED = Unencoded(
    graph=GRAPH,
    item_tokens=("i0", "i1", "i2"),
    item_names=["film a", "film b", ""],
    popularity=np.array([3, 2, 1]),
    token_order=np.arange(3),
    link_indptr=np.array([0, 1, 1, 1]),
    link_nodes=np.array([0], dtype=np.int32),
    texts=TEXTS,
    centres=np.array([0, 1, 2], dtype=np.int32),
)
# film a, film b, about space; and of the two relations: about, about of, long, long of.
DISTINCT = 7


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def _open(tiny: Workspace, folder: Path, asked: Unencoded = UNENCODED, **changed: Any) -> tuple[Index, dict[str, Any]]:
    given: dict[str, Any] = {
        "batch_size": 4,
        "index_orders": [1, 2],
        "propagation": "mean",
        "index_file": "kg_index.pt",
        "overwrite": False,
        "parameters": {"missing_text": "drop"},
        **changed,
    }
    return open_index(tiny.context(), asked, EncoderSpec(folder), **given)


def _refusal(tiny: Workspace, folder: Path, asked: Unencoded = UNENCODED, **changed: Any) -> str:
    with pytest.raises(StepError) as caught:
        _open(tiny, folder, asked, **changed)
    assert caught.value.parameter == "index_file"
    message = caught.value.message
    path = tiny.context().vector_path("kg_index.pt")
    assert message.startswith(f"{path} holds ")
    assert message.endswith("; set overwrite: True, or name another file")
    return message.removeprefix(f"{path} holds ").removesuffix("; set overwrite: True, or name another file")


def _vector(folder: Path, text: str) -> torch.Tensor:
    return torch.nn.functional.normalize(encode([text], EncoderSpec(folder), 1, torch.device("cpu")), dim=1)[0]


def test_a_row_is_the_vector_of_its_own_text(tiny: Workspace, encoder: Path) -> None:
    index, _ = _open(tiny, encoder)
    for row, text in (
        (index.nodes[1], "film a"),
        (index.nodes[2], "about space"),
        (index.items.vectors[1], "film b"),
        (index.relations[0], "about"),
        (index.relations[1], "long"),
        (index.relations[2], "about of"),
        (index.relations[3], "long of"),
    ):
        torch.testing.assert_close(row, _vector(encoder, text), atol=1e-5, rtol=0)
    assert index.relations.shape == (4, WIDTH)


def test_an_item_and_its_node_share_the_vector_of_its_title(tiny: Workspace, encoder: Path) -> None:
    index, _ = _open(tiny, encoder)
    assert torch.equal(index.items.vectors[0], index.nodes[0])
    assert index.items.tokens == ("i0", "i1", "i2")


def test_what_says_nothing_is_zero_and_all_else_has_length_1(tiny: Workspace, encoder: Path) -> None:
    index, _ = _open(tiny, encoder)
    torch.testing.assert_close(index.nodes.norm(dim=1), torch.tensor([1.0, 1, 1, 0]))
    torch.testing.assert_close(index.items.vectors.norm(dim=1), torch.tensor([1.0, 1, 0]))
    assert index.items.titled.tolist() == [True, True, False]


def test_order_2_is_half_of_a_node_and_half_of_its_neighbours(tiny: Workspace, encoder: Path) -> None:
    index, _ = _open(tiny, encoder)
    film, space = _vector(encoder, "film a"), _vector(encoder, "about space")
    expected = torch.nn.functional.normalize(torch.stack([film + space, film + space, space + film, film]), dim=1)
    torch.testing.assert_close(index.vectors(2), expected, atol=1e-5, rtol=0)


def test_without_order_2_nothing_is_propagated(tiny: Workspace, encoder: Path) -> None:
    index, facts = _open(tiny, encoder, index_orders=[1])
    assert index.propagated is None
    assert torch.equal(index.vectors(1), index.nodes)
    assert facts["texts_encoded"] == DISTINCT


def test_each_distinct_text_is_encoded_once_and_the_file_is_keyed_by_it(tiny: Workspace, encoder: Path) -> None:
    _, facts = _open(tiny, encoder)
    assert (facts["distinct_texts"], facts["texts_encoded"], facts["index_kept"]) == (DISTINCT, DISTINCT, False)
    assert facts["node_texts"] == {"titled": 2, "named": 1, "described": 0, "by_relation": 0, "none": 1}
    assert (facts["centres"], facts["dimension"]) == (3, WIDTH)
    tokens = set(read_vectors(tiny.vectors / "kg_index.pt").tokens or ())
    assert tokens == {"film a", "film b", "about space", "about", "about of", "long", "long of"}


def test_a_file_that_was_made_of_the_same_is_kept(tiny: Workspace, encoder: Path) -> None:
    first, _ = _open(tiny, encoder)
    written = (tiny.vectors / "kg_index.pt").read_bytes()
    again, facts = _open(tiny, encoder)
    assert (facts["texts_encoded"], facts["index_kept"]) == (0, True)
    assert (tiny.vectors / "kg_index.pt").read_bytes() == written
    assert torch.equal(again.nodes, first.nodes)
    assert torch.equal(again.vectors(2), first.vectors(2))
    assert again.fingerprint == first.fingerprint


OTHERS = {
    "another graph": replace(UNENCODED, graph=KnowledgeGraph.of(*zip(*[*TRIPLES, ("n0", "long", "n3")], strict=True))),
    "other links": replace(UNENCODED, link_nodes=np.array([1], dtype=np.int32)),
    "other texts of entities and items (a train part decides which titles describe an entity)": replace(
        UNENCODED, texts=replace(TEXTS, texts=("film a", "film b", "about space", ""))
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_of_something_else_is_refused_with_what_differs(what: str, tiny: Workspace, encoder: Path) -> None:
    before, _ = _open(tiny, encoder)
    assert _refusal(tiny, encoder, OTHERS[what]) == f"an index of {what}"
    after, facts = _open(tiny, encoder, OTHERS[what], overwrite=True)
    # The texts are the same, or stand there already: "film b" is an item's.
    assert facts["texts_encoded"] == 0
    assert after.fingerprint != before.fingerprint
    assert _open(tiny, encoder, OTHERS[what])[1]["index_kept"]


def test_all_that_differs_is_named(tiny: Workspace, encoder: Path) -> None:
    _open(tiny, encoder)
    other = replace(OTHERS["other links"], graph=OTHERS["another graph"].graph)
    assert _refusal(tiny, encoder, other) == "an index of another graph and other links"


def test_the_vectors_of_another_encoder_are_refused_and_none_is_taken_over(
    tiny: Workspace, encoder: Path, tmp_path: Path
) -> None:
    _open(tiny, encoder)
    other = write_tiny_encoder(tmp_path / "other", seed=1)
    assert _refusal(tiny, other) == "an index of another encoder"
    index, facts = _open(tiny, other, overwrite=True)
    assert facts["texts_encoded"] == DISTINCT
    torch.testing.assert_close(index.nodes[0], _vector(other, "film a"), atol=1e-5, rtol=0)


def test_an_encoder_in_another_folder_is_the_same(tiny: Workspace, encoder: Path, tmp_path: Path) -> None:
    _open(tiny, encoder)
    moved = shutil.copytree(encoder, tmp_path / "moved")
    assert _open(tiny, Path(moved))[1]["index_kept"]


def test_the_parameter_that_changed_the_texts_is_named(tiny: Workspace, encoder: Path) -> None:
    _open(tiny, encoder)
    changed = replace(UNENCODED, texts=replace(TEXTS, texts=("film a", "film a", "about space", "long")))
    said = _refusal(tiny, encoder, changed, parameters={"missing_text": "relation"})
    assert said == "an index made with missing_text: drop, not relation"


def test_with_overwrite_only_new_texts_are_encoded(tiny: Workspace, encoder: Path) -> None:
    _open(tiny, encoder)
    changed = replace(UNENCODED, texts=replace(TEXTS, texts=("film a", "film a", "about space", "film c")))
    index, facts = _open(tiny, encoder, changed, overwrite=True)
    assert (facts["texts_encoded"], facts["distinct_texts"]) == (1, DISTINCT + 1)
    torch.testing.assert_close(index.nodes[3], _vector(encoder, "film c"), atol=1e-5, rtol=0)
    torch.testing.assert_close(index.nodes[0], _vector(encoder, "film a"), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "changed", [{"propagation": "ppr"}, {"index_orders": [1]}, {"centres": np.array([0], dtype=np.int32)}]
)
def test_what_changes_no_text_keeps_the_file_and_makes_another_index(
    changed: dict[str, Any], tiny: Workspace, encoder: Path
) -> None:
    first, _ = _open(tiny, encoder)
    asked = replace(UNENCODED, centres=changed.pop("centres")) if "centres" in changed else UNENCODED
    index, facts = _open(tiny, encoder, asked, **changed)
    assert facts["index_kept"]
    assert index.fingerprint != first.fingerprint


def test_a_vector_file_of_users_is_no_index(tiny: Workspace, encoder: Path) -> None:
    tiny.save_vectors("kg_index.pt", ["u1", "u2"], side="users")
    assert _refusal(tiny, encoder) == "no index of a knowledge graph"


def test_an_encoder_that_does_not_load_is_an_error_of_the_encoder(tiny: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(StepError, match="cannot be loaded") as caught:
        _open(tiny, tmp_path / "empty")
    assert caught.value.parameter == "text_encoder"
