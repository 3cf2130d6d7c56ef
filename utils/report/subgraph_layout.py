"""Where the nodes of a small graph stand in a picture: the same graph always looks the same."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist

# The radius of a fan of n leaves is _LEAF * sqrt(n), in units of the shortest line between two nodes.
_LEAF = 0.45
_GAP = 0.6
_MOST_STEPS = 150
# Where no node moves further than this in a step, the next ones would not be seen.
_STILL = 0.01


def layout(n_nodes: int, pairs: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Positions [n_nodes, 2] within -1 to 1 of nodes that `pairs` [n, 2] join.

    A node that touches one other stands in a fan around it; centres never do. The rest are placed so that their
    distances are those along the lines, by stress majorisation (Gansner, Koren and North, Graph Drawing 2004),
    and then moved apart until no fan covers another.
    """
    ends = np.unique(np.sort(pairs.reshape(-1, 2), axis=1), axis=0).astype(np.int64)
    ends = ends[ends[:, 0] != ends[:, 1]]
    leaves, hosts = _leaves(n_nodes, ends, centres)
    core = np.setdiff1d(np.arange(n_nodes), leaves)
    fans = _LEAF * np.sqrt(np.bincount(hosts, minlength=n_nodes))
    place = np.full(n_nodes, -1)
    place[core] = np.arange(len(core))
    joined = place[ends[~np.isin(ends, leaves).any(axis=1)]]
    positions = np.zeros((n_nodes, 2))
    positions[core] = _apart(_stress(_distances(joined, fans[core])), fans[core])
    for host in np.unique(hosts):
        own = leaves[hosts == host]
        positions[own] = positions[host] + _fan(len(own), fans[host])
    low, high = positions.min(axis=0), positions.max(axis=0)
    return (2 * positions - low - high) / np.where(high > low, high - low, 1)


def _leaves(n_nodes: int, ends: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(nodes that stand around another, that other of each)."""
    degree = np.bincount(ends.ravel(), minlength=n_nodes)
    may = degree == 1
    may[centres] = False
    # Of two nodes that touch only each other the first stays.
    may[ends[may[ends].all(axis=1), 0]] = False
    both = np.concatenate([ends, ends[:, ::-1]])
    both = both[may[both[:, 0]]]
    order = np.argsort(both[:, 0])
    return both[order, 0], both[order, 1]


def _distances(joined: np.ndarray, fans: np.ndarray) -> np.ndarray:
    """[n, n]: how far apart nodes ought to be; those of different components as far as the far ones of one are."""
    n = len(fans)
    lengths = 1 + fans[joined].sum(axis=1)
    wanted = shortest_path(csr_matrix((lengths, (joined[:, 0], joined[:, 1])), shape=(n, n)), directed=False)
    apart = np.isinf(wanted)
    wanted[apart] = np.maximum(0.75 * wanted[~apart].max(), 1 + fans[:, None] + fans[None, :])[apart]
    return wanted


def _stress(wanted: np.ndarray) -> np.ndarray:
    """Positions [n, 2] whose distances are those of `wanted` [n, n], near ones above all."""
    n = len(wanted)
    number = np.arange(n)
    # The spiral of a sunflower: no two at one place, and nothing drawn by lot.
    positions = np.sqrt(number)[:, None] * np.stack([np.cos(2.4 * number), np.sin(2.4 * number)], axis=1)
    if n < 2:
        return positions
    off = ~np.eye(n, dtype=bool)
    weights = np.zeros_like(wanted)
    weights[off] = wanted[off] ** -2.0
    inverse = np.linalg.inv(np.diag(weights.sum(axis=1)) - weights + 1 / n) - 1 / n
    pull = -weights * wanted
    for _ in range(_MOST_STEPS):
        pulls = pull / np.maximum(cdist(positions, positions), 1e-9)
        np.fill_diagonal(pulls, -pulls.sum(axis=1))
        before, positions = positions, inverse @ (pulls @ positions)
        if np.abs(positions - before).max() < _STILL:
            break
    return positions


def _apart(positions: np.ndarray, fans: np.ndarray) -> np.ndarray:
    """The same positions, moved until the fans of any two leave a gap between them."""
    least = _GAP + fans[:, None] + fans[None, :]
    np.fill_diagonal(least, 0)
    for _ in range(_MOST_STEPS):
        distances = cdist(positions, positions)
        pushes = np.maximum(least - distances, 0) / np.maximum(distances, 1e-9)
        moves = (positions * pushes.sum(axis=1, keepdims=True) - pushes @ positions) / 4
        positions = positions + moves
        if np.abs(moves).max() < _STILL:
            break
    return positions


def _fan(n: int, radius: float) -> np.ndarray:
    """[n, 2]: neighbours in order around the middle, on up to three circles in turn."""
    circles = 1 if n <= 14 else 2 if n <= 32 else 3
    number = np.arange(n)
    angles = 2 * np.pi * (number + 0.5) / n
    radii = radius * (1 - 0.5 * (number % circles) / circles)
    return radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
