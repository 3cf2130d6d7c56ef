"""Prize-collecting Steiner trees: which connected part of a graph is worth more than it costs by most."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order

# pcst_fast's own: (edges, prizes, costs, root, number of trees, pruning, verbosity) -> (vertices, edges)
Solver = Callable[[np.ndarray, np.ndarray, np.ndarray, int, int, str, int], tuple[np.ndarray, np.ndarray]]
PACKAGE = "pcst-fast2"
_NO_ROOT, _ONE_TREE, _SILENT = -1, 1, 0
# Of two relations the nearer one has the higher prize, even where its share would not be.
_FALLS_TO = 0.99


def solver() -> Solver:
    """pcst_fast's solver (Hegde, Indyk and Schmidt, ICML 2015); ImportError where there is none that works."""
    try:
        from pcst_fast import pcst_fast
    except ImportError as error:
        raise ImportError(f"Steiner trees need the package {PACKAGE}; run: pip install {PACKAGE}") from error
    vertices, _ = _solved(pcst_fast, np.array([[0, 1], [1, 2]]), np.ones(3), np.zeros(2))
    # Wheels of pcst-fast 1.0.10 were built for NumPy 1; with NumPy 2 they repeat one vertex in place of all.
    if sorted(vertices.tolist()) != [0, 1, 2]:
        raise ImportError(
            f"the pcst_fast that is installed gives wrong trees with NumPy {np.__version__}; "
            f"run: pip uninstall pcst-fast; pip install {PACKAGE}"
        )
    return pcst_fast


def node_prizes(cosines: np.ndarray, top_k: int) -> np.ndarray:
    """[n] float64: top_k for the highest of `cosines` [n], 1 for the top_k-th, and 0 for the others.

    Ties by place; NaN for what gets no prize.
    """
    prizes = np.zeros(len(cosines))
    top = np.argsort(-cosines, kind="stable")[: min(top_k, np.isfinite(cosines).sum())]
    prizes[top] = np.arange(top_k, top_k - len(top), -1)
    return prizes


def edge_prizes(cosines: np.ndarray, top_k: int) -> np.ndarray:
    """[m] float64: as for nodes, but edges of the same cosine share one prize among them.

    So each of the few relations counts as much as its rank says, however many edges have it. No edge's share is
    higher than 0.99 of that of an edge before it.
    """
    values, kind, counts = np.unique(-cosines, return_inverse=True, return_counts=True)
    shares = np.zeros(len(values))
    highest = np.inf
    for rank in range(min(top_k, len(values))):
        shares[rank] = min((top_k - rank) / counts[rank], highest)
        highest = shares[rank] * _FALLS_TO
    return shares[kind]


def steiner_tree(
    solve: Solver, edges: np.ndarray, of_nodes: np.ndarray, of_edges: np.ndarray, edge_cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """The tree of the highest prizes less costs, approximately: its nodes [k], sorted, and edges [j, 2].

    edges [m, 2] int64, of_nodes [n] and of_edges [m]: prizes. An edge costs `edge_cost` less its prize. One whose prize
    is higher than that becomes a node in the middle of two edges that cost nothing, with what is left as its prize;
    where that node is chosen, the edge is. The solver's approximation of what is lost, prizes left out and costs paid,
    is at most twice the least. (He et al., G-Retriever, NeurIPS 2024, arXiv 2402.07630, section 5.3.)
    """
    n = len(of_nodes)
    rich = of_edges > edge_cost
    plain, ends = edges[~rich], edges[rich]
    middles = np.arange(n, n + len(ends))
    halves = [np.stack([ends[:, side], middles], axis=1) for side in (0, 1)]
    vertices, chosen = _solved(
        solve,
        np.concatenate([plain, *halves]),
        np.concatenate([of_nodes, of_edges[rich] - edge_cost]),
        np.concatenate([edge_cost - of_edges[~rich], np.zeros(2 * len(ends))]),
    )
    joined = np.concatenate([plain[chosen[chosen < len(plain)]], ends[vertices[vertices >= n] - n]])
    return np.unique(np.concatenate([vertices[vertices < n], joined.ravel()])), joined


def trimmed(nodes: np.ndarray, edges: np.ndarray, prizes: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of a tree's nodes [k], still connected: the leaf of the lowest prize goes first, again and again.

    edges [j, 2]: those that join the nodes. prizes [n]: of all nodes. Of equal leaves the one of the highest number
    goes; the node of the highest prize stays.
    """
    if len(nodes) <= most:
        return nodes
    root = int(nodes[np.argmax(prizes[nodes])])
    size = len(prizes)
    joins = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (size, size))
    _, parents = breadth_first_order(joins, root, directed=False)
    children = np.bincount(parents[nodes[nodes != root]], minlength=size)
    leaves = [(prizes[node], -node) for node in nodes.tolist() if children[node] == 0]
    heapq.heapify(leaves)
    kept = set(nodes.tolist())
    while len(kept) > most:
        leaf = -heapq.heappop(leaves)[1]
        kept.discard(leaf)
        parent = int(parents[leaf])
        children[parent] -= 1
        if children[parent] == 0:
            heapq.heappush(leaves, (prizes[parent], -parent))
    return np.array(sorted(kept), dtype=nodes.dtype)


def _solved(solve: Solver, edges: np.ndarray, prizes: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return solve(edges.astype(np.int64), prizes, costs, _NO_ROOT, _ONE_TREE, "gw", _SILENT)
