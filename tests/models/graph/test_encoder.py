"""The graph encoder: each subgraph's vector is its own, and options that cannot be built are told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Batch

from models.graph.batches import batch_of, spread
from models.graph.convolutions.base import GRAPH_CONVOLUTIONS
from models.graph.encoder import NORMS, GraphEncoder, GraphEncoderError, why_impossible
from models.graph.subgraphs import Subgraphs

TYPES = ["gat", "gcn", "graphsage", "gt"]
NODE_DIM, EDGE_DIM = 6, 5
# Node 0 touches 1, 2 and, by two relations, 3; 4 touches 3 and itself; nothing touches 5.
TRIPLES = [(0, 0, 1), (0, 1, 2), (0, 0, 3), (0, 1, 3), (4, 1, 3), (4, 0, 4)]
N_NODES, N_RELATIONS = 6, 2
CENTRES = torch.tensor([[0, 3, -1], [5, 0, 4], [-1, -1, -1], [3, -1, -1]])


def graph(nodes: torch.Tensor | None = None, relations: torch.Tensor | None = None) -> Subgraphs:
    """The triples above; vectors that are not given are random, the same ones each time."""
    entries = sorted(
        {(head, tail, relation) for head, relation, tail in TRIPLES}
        | {(tail, head, relation + N_RELATIONS) for head, relation, tail in TRIPLES}
    )
    ends, neighbours, kinds = torch.tensor(entries).T
    indptr = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(ends, minlength=N_NODES).cumsum(0)])
    generator = torch.Generator().manual_seed(1)
    own_nodes = torch.randn(N_NODES, NODE_DIM, generator=generator)
    own_relations = torch.randn(2 * N_RELATIONS, EDGE_DIM, generator=generator)
    return Subgraphs(
        indptr,
        neighbours,
        kinds,
        own_nodes if nodes is None else nodes,
        own_relations if relations is None else relations,
    )


def encoder(**options: Any) -> GraphEncoder:
    torch.manual_seed(0)
    return GraphEncoder(NODE_DIM, EDGE_DIM, **{"hidden_dim": 8, "num_heads": 2, **options})


def batch(*centres: int) -> Batch:
    return batch_of(graph(), torch.tensor([centres], dtype=torch.long)).data


def test_all_types_are_there() -> None:
    assert GRAPH_CONVOLUTIONS.names() == TYPES


def test_a_graph_transformer_of_four_layers_has_as_many_parameters_as_the_released_one() -> None:
    with torch.device("meta"):
        built = GraphEncoder(1024, 1024, "gt", num_layers=4, hidden_dim=1024, num_heads=4, norm="batch")
    # Query, key, value and the node itself with a bias, the relation without; between four layers three norms.
    convolution = 4 * (1024 * 1024 + 1024) + 1024 * 1024
    count = sum(parameter.numel() for parameter in built.parameters())
    assert count == 4 * convolution + 3 * (1024 + 1024) == 20_994_048


@pytest.mark.parametrize("type", TYPES)
def test_encoding_distinct_centres_once_is_encoding_each_star_alone(type: str) -> None:
    built, subgraphs = encoder(type=type, norm="layer"), graph()
    made = batch_of(subgraphs, CENTRES)
    assert len(made.data.ptr) - 1 == 4  # centres 0, 3, 4 and 5
    vectors, mask = spread(built(made.data), made.inverse)
    assert vectors.shape == (4, 3, 8)
    assert mask.tolist() == (CENTRES >= 0).tolist()
    for sample, slot in mask.nonzero().tolist():
        alone = built(Batch.from_data_list([subgraphs.star(int(CENTRES[sample, slot]))]))
        torch.testing.assert_close(vectors[sample, slot], alone[0])


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("type", TYPES)
def test_no_gradient_crosses_from_one_subgraph_to_another(type: str, norm: str) -> None:
    data = batch(0, 4)
    data.x.requires_grad_()
    encoder(type=type, norm=norm)(data)[0].square().sum().backward()
    touched = data.x.grad.abs().sum(dim=1)
    assert touched[data.batch == 0].min() > 0
    assert touched[data.batch == 1].tolist() == [0.0] * int((data.batch == 1).sum())


def test_a_subgraphs_vector_is_the_mean_of_its_nodes() -> None:
    # Stars of 0 (four nodes: 0 to 3) and of 5 (one node); the layer hands on the node itself and ignores neighbours.
    built = encoder(type="graphsage", num_layers=1, hidden_dim=NODE_DIM)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
        built.convolutions[0].lin_r.weight.copy_(torch.eye(NODE_DIM))
    nodes = graph().node_vectors
    torch.testing.assert_close(built(batch(0, 5)), torch.stack([nodes[:4].sum(dim=0) / 4, nodes[5]]))


def test_norm_relu_and_dropout_stand_between_layers_and_not_after_the_last() -> None:
    built = encoder(num_layers=3, dropout=0.25)
    assert [[type(part) for part in between] for between in built.between] == [
        [torch.nn.LayerNorm, torch.nn.ReLU, torch.nn.Dropout]
    ] * 2
    assert built.between[0][2].p == 0.25
    assert len(built.convolutions) == 3
    assert (built(batch(0)) < 0).any()


@pytest.mark.parametrize("type", TYPES)
def test_relations_are_read_by_the_graph_transformer_only(type: str) -> None:
    built, centres = encoder(type=type), torch.tensor([[0, 3, 4]])
    vectors = built(batch_of(graph(), centres).data)
    others = built(batch_of(graph(relations=torch.ones(2 * N_RELATIONS, EDGE_DIM)), centres).data)
    differs = not torch.allclose(vectors, others)
    assert differs == GRAPH_CONVOLUTIONS.get(type).uses_relations == (type == "gt")


@pytest.mark.parametrize("type", TYPES)
def test_neighbours_count(type: str) -> None:
    built, nodes = encoder(type=type, num_layers=1), graph().node_vectors.clone()
    before = built(batch(0))
    nodes[1] += 1
    assert not torch.allclose(before, built(batch_of(graph(nodes=nodes), torch.tensor([[0]])).data))


@pytest.mark.parametrize("type", ["gcn", "graphsage"])
def test_types_without_heads_take_any_width(type: str) -> None:
    assert not GRAPH_CONVOLUTIONS.get(type).has_heads
    assert encoder(type=type, hidden_dim=7, num_heads=4)(batch(0)).shape == (1, 7)


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("type", TYPES)
def test_gradients_reach_every_parameter(type: str, num_layers: int) -> None:
    built = encoder(type=type, num_layers=num_layers)
    built(batch(0, 3, 4, 5)).square().sum().backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        # What is added to all keys alike adds the same to all of a node's scores, and their softmax stays.
        if not name.endswith("lin_key.bias"):
            assert parameter.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("type", TYPES)
def test_no_subgraph_gives_no_vector_and_gradients_of_zero(type: str, norm: str) -> None:
    built = encoder(type=type, norm=norm)
    vectors = built(batch(-1, -1))
    assert vectors.shape == (0, 8)
    vectors.sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in built.parameters())


def test_batch_norm_reads_one_node_by_what_was_seen_before() -> None:
    built = encoder(norm="batch")
    built(batch(0, 4))
    seen = {name: buffer.clone() for name, buffer in built.named_buffers()}
    training = built(batch(5))
    torch.testing.assert_close(training, built.eval()(batch(5)))
    assert all(torch.equal(buffer, seen[name]) for name, buffer in built.named_buffers())


def test_batch_norm_takes_its_statistics_over_all_nodes_of_a_batch() -> None:
    built, data = encoder(norm="batch", num_layers=2), batch(0, 4)
    hidden = built.convolutions[0](data.x, data.edge_index, data.edge_attr)
    built(data)
    # Running means start at zero and move a tenth of the way.
    torch.testing.assert_close(built.between[0][0].running_mean, 0.1 * hidden.mean(dim=0))


@pytest.mark.parametrize(
    ("options", "parameter", "message"),
    [
        ({"type": "gtt"}, "type", "unknown graph encoder 'gtt'; accepted: gat, gcn, graphsage, gt; did you mean 'gt'?"),
        (
            {"norm": "bacth"},
            "norm",
            "unknown norm of a graph encoder 'bacth'; accepted: layer, batch, none; did you mean 'batch'?",
        ),
        ({"num_layers": 0}, "num_layers", "num_layers is 0; 1 or more is accepted"),
        ({"num_heads": 0}, "num_heads", "num_heads is 0; 1 or more is accepted"),
        ({"dropout": 1.0}, "dropout", "dropout is 1.0; from 0 to less than 1 is accepted"),
        (
            {"hidden_dim": 10, "num_heads": 4},
            "hidden_dim",
            "hidden_dim is 10, which 4 heads cannot share; nearest: 8 or 12",
        ),
        (
            {"type": "gat", "hidden_dim": 3, "num_heads": 4},
            "hidden_dim",
            "hidden_dim is 3, which 4 heads cannot share; nearest: 4",
        ),
    ],
)
def test_what_cannot_be_built_is_told_by_its_parameter(options: dict[str, Any], parameter: str, message: str) -> None:
    with pytest.raises(GraphEncoderError) as caught:
        encoder(**options)
    assert (caught.value.parameter, str(caught.value)) == (parameter, message)


def test_all_that_is_impossible_is_found_at_once() -> None:
    found = why_impossible(type="gat", num_layers=0, hidden_dim=10, num_heads=4, dropout=-1.0, norm="none")
    assert [parameter for parameter, _ in found] == ["hidden_dim", "num_layers", "dropout"]
    assert why_impossible(type="gt", num_layers=1, hidden_dim=8, num_heads=4, dropout=0.0, norm="none") == []
