"""NCL's prototypes without faiss, which RecBole asks for a GPU whatever the device is."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

# What faiss.Kmeans does unless told otherwise: Lloyd's algorithm from k of the points, this often at most.
_ITERATIONS = 25


def run_kmeans(self: Any, x: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Cluster the rows of `x` [n, dim]: unit-length centroids [k, dim], and the cluster of each row [n].

    A method of NCL (Lin et al., WWW 2022). It starts from RecBole's seed each time, as faiss does from its own, and
    draws nothing from the global generators. Raises ValueError where there are fewer rows than clusters.
    """
    from sklearn.cluster import KMeans

    if len(x) < self.k:
        raise ValueError(f"num_clusters is {self.k}, but there are {len(x)} users or items to cluster")
    seed = torch.initial_seed() % 2**32
    found = KMeans(self.k, init="random", n_init=1, max_iter=_ITERATIONS, random_state=seed).fit(x)
    centroids = torch.from_numpy(found.cluster_centers_).float().to(self.device)
    return functional.normalize(centroids, dim=1), torch.from_numpy(found.labels_).long().to(self.device)


def replace_faiss() -> None:
    """Give NCL this clustering."""
    from recbole.model.general_recommender.ncl import NCL

    NCL.run_kmeans = run_kmeans
