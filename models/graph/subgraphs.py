"""Parts of a graph around nodes, made when they are asked for: a centre and what is near it, or nodes together."""

from __future__ import annotations

import numpy as np
import torch
from torch_geometric.data import Batch, Data

from models.graph.csr import entries_of, keeps

Array = np.ndarray | torch.Tensor


class Subgraphs:
    """A graph of n nodes whose subgraphs are `Data`, or many of them at once one `Batch`.

    In each, x [nodes, dim] are the nodes' vectors, `node` [nodes] their numbers in the whole graph, and edges stand in
    both directions: edge_index [2, edges] and edge_attr [edges, dim], where the edge against a relation has the
    reversed relation's vector. Two relations between the same nodes are two edges each way. Node 0 of a subgraph is its
    centre, or the first of the nodes that were given.
    """

    def __init__(
        self,
        indptr: Array,
        neighbours: Array,
        relations: Array,
        node_vectors: torch.Tensor,
        relation_vectors: torch.Tensor,
        max_neighbors: int | None = None,
        keep_first: Array | None = None,
    ) -> None:
        """Take a graph in both directions as CSR; everything lives on the device of `node_vectors`.

        indptr [n + 1], neighbours [m], relations [m]: what touches each node, sorted by neighbour within a node.
        Relation r is one along its direction, r + R the same one against it.
        node_vectors [n, dim], relation_vectors [2 * R, dim].
        max_neighbors: of each node, how many neighbours a star or a ball takes; None takes all. Those in `keep_first`
        [k], node numbers in order of preference, stay before the others, and of these the ones that most triples
        touch: who touches one node only says least. Ties by node number.
        """
        device = node_vectors.device
        self.node_vectors, self.relation_vectors = node_vectors, relation_vectors.to(device)
        self.indptr, self.neighbours, self.relations = (
            torch.as_tensor(part, device=device).long() for part in (indptr, neighbours, relations)
        )
        self.kept = self.indptr, self.neighbours, self.relations
        if max_neighbors is not None:
            stays = keeps(self.indptr, self.neighbours, self._preference(keep_first), max_neighbors)
            before = torch.cat([stays.new_zeros(1, dtype=torch.long), stays.cumsum(0)])
            self.kept = before[self.indptr], self.neighbours[stays], self.relations[stays]

    def star(self, centre: int) -> Data:
        """A node, its neighbours, and the triples between it and them."""
        return self.ball(centre, 1)

    def ball(self, centre: int, hops: int) -> Data:
        """A node and all within `hops`, with the triples of every node that is nearer than that."""
        return self._one(self.balls(torch.tensor([centre], device=self.indptr.device), hops))

    def induced(self, nodes: Array) -> Data:
        """Distinct nodes [k] in the order given, and all triples between them."""
        return self._one(self.all_induced(torch.as_tensor(nodes, device=self.indptr.device).reshape(1, -1)))

    def balls(self, centres: torch.Tensor, hops: int) -> Batch:
        """The balls around centres [k], one of each; with hops 1 their stars."""
        n = len(self.node_vectors)
        indptr, neighbours, relations = self.kept
        # Node v of graph g is one number, g * n + v, so that all graphs grow at once and none meets another.
        reached = torch.arange(len(centres), device=indptr.device) * n + centres
        frontier, edges = reached, [reached.new_zeros(3, 0)]
        for _ in range(hops):
            which, entry = entries_of(indptr, frontier % n)
            sources = frontier[which]
            targets = sources - sources % n + neighbours[entry]
            edges.append(torch.stack([sources, targets, relations[entry]]))
            found = torch.unique(targets)
            frontier = found[~torch.isin(found, reached)]
            reached = torch.cat([reached, frontier])
        # Within a graph the centre stays first, then who is one hop away, then two, each sorted by number.
        reached = reached[torch.argsort(reached // n, stable=True)]
        return self._batch(reached, torch.cat(edges, dim=1), len(centres))

    def all_induced(self, nodes: torch.Tensor) -> Batch:
        """The subgraphs of rows of distinct nodes [k, N], -1 where a row has fewer."""
        n = len(self.node_vectors)
        there = nodes >= 0
        graphs = torch.arange(len(nodes), device=self.indptr.device).unsqueeze(1).expand_as(nodes)
        members = graphs[there] * n + nodes[there]
        which, entry = entries_of(self.indptr, members % n)
        sources = members[which]
        targets = sources - sources % n + self.neighbours[entry]
        inside = torch.isin(targets, members)
        edges = torch.stack([sources, targets, self.relations[entry]])[:, inside]
        return self._batch(members, edges, len(nodes))

    def _batch(self, members: torch.Tensor, edges: torch.Tensor, n_graphs: int) -> Batch:
        """From nodes [nodes] and edges [3, m], (source, target, relation), each in one direction or in both."""
        n, kinds = len(self.node_vectors), len(self.relation_vectors)
        ordered, rows = members.sort()
        sources, targets = rows[torch.searchsorted(ordered, edges[:2].contiguous())]
        backwards = (edges[2] + kinds // 2) % kinds
        # An edge from a node to itself is found from both of its ends, and so is one within a ball.
        distinct = torch.unique(
            torch.cat(
                [
                    (sources * len(members) + targets) * kinds + edges[2],
                    (targets * len(members) + sources) * kinds + backwards,
                ]
            )
        )
        pairs, relations = distinct // kinds, distinct % kinds
        graph = members // n
        sizes = torch.bincount(graph, minlength=n_graphs)
        return Batch(
            x=self.node_vectors[members % n],
            edge_index=torch.stack([pairs // len(members), pairs % len(members)]),
            edge_attr=self.relation_vectors[relations],
            node=members % n,
            batch=graph,
            ptr=torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
        )

    @staticmethod
    def _one(batch: Batch) -> Data:
        return Data(x=batch.x, edge_index=batch.edge_index, edge_attr=batch.edge_attr, node=batch.node)

    def _preference(self, keep_first: Array | None) -> torch.Tensor:
        """[n] the place of each node in the order in which neighbours stay."""
        degrees = self.indptr.diff()
        order = torch.argsort(degrees, descending=True, stable=True)
        if keep_first is not None:
            named = torch.as_tensor(keep_first, device=order.device).long()
            order = torch.cat([named, order[~torch.isin(order, named)]])
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device)
        return place
