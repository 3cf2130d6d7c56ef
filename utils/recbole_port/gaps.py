"""The places where a plain `pip install recbole` breaks, or is dangerous, on today's stack.

Each is a `Gap` that patches RecBole as little as possible; `close_gaps()` closes them all. RecBole is
imported when a gap is closed, not before, and `recbole.quick_start` never, because it needs ray.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from utils.recbole_port import checkpoints, clusters, kgat_graph, loss_parts, metric_data


@dataclass(frozen=True)
class Gap:
    """One thing of RecBole 1.2.1 that fails here: `what` says which models it hits, `close` repairs it."""

    name: str
    what: str
    close: Callable[[], None]


_closed: set[str] = set()


def close_gaps(skip: Collection[str] = ()) -> None:
    """Close every gap that is open and not in `skip`; calling it again changes nothing.

    Raises ValueError where `skip` names no gap.
    """
    unknown = sorted(set(skip) - {gap.name for gap in GAPS})
    if unknown:
        raise ValueError(f"no such gap: {', '.join(unknown)}")
    for gap in GAPS:
        if gap.name not in _closed and gap.name not in skip:
            gap.close()
            _closed.add(gap.name)


def _numpy_aliases() -> None:
    from recbole.config import Config

    aliases = {
        "bool": np.bool_,
        "int": np.int_,
        "float": np.float64,
        "complex": np.complex128,
        "object": np.object_,
        "str": np.str_,
        "long": np.int_,
        "unicode": np.str_,
    }
    for name, scalar_type in aliases.items():
        # Looked up in vars(): NumPy 1.26 warns when an attribute of such a name is asked for.
        if name not in vars(np):
            setattr(np, name, scalar_type)
    Config.compatibility_settings = lambda self: None


def _command_line() -> None:
    from recbole.config import Config

    Config._load_cmd_line = lambda self: {}


def _eval_strings() -> None:
    from recbole.config import Config

    Config._convert_config_dict = lambda self, config_dict: config_dict


def _teacher_name() -> None:
    from recbole.model.context_aware_recommender import kd_dagfm

    # The module holds more classes, the student among them, so the teachers are listed.
    teachers = ("CrossNet", "CIN")
    build = kd_dagfm.KD_DAGFM.__init__

    def init(self: Any, config: Any, dataset: Any) -> None:
        if config["teacher"] not in teachers:
            raise ValueError(f"teacher must be one of {', '.join(teachers)}, not {config['teacher']!r}")
        build(self, config, dataset)

    kd_dagfm.KD_DAGFM.__init__ = init


def _dok_matrix_update() -> None:
    def update(self: Any, data: Mapping[tuple[int, int], Any]) -> None:
        self._dict.update(data)

    if not hasattr(sp.dok_matrix, "_update"):
        sp.dok_matrix._update = update


def _pandas_fillna() -> None:
    from recbole.data.dataset import dataset as dataset_module
    from recbole.utils import FeatureType

    def fill_nan(self: Any) -> None:
        for feat_name in self.feat_name_list:
            feat = getattr(self, feat_name)
            for field in feat:
                ftype = self.field2type[field]
                if ftype == FeatureType.TOKEN:
                    feat[field] = feat[field].fillna(value=0)
                elif ftype == FeatureType.FLOAT:
                    feat[field] = feat[field].fillna(value=feat[field].mean())
                else:
                    empty = np.array([], dtype=np.int64 if ftype == FeatureType.TOKEN_SEQ else np.float64)
                    feat[field] = [empty if isinstance(value, float) else value for value in feat[field]]

    def read_csv(*args: Any, **kwargs: Any) -> pd.DataFrame:
        frame = pd.read_csv(*args, **kwargs)
        for column in frame.columns:
            if column.endswith("_seq"):
                frame[column] = frame[column].fillna("")
        return frame

    dataset_module.Dataset._fill_nan = fill_nan
    # `_load_feat`, the only caller of read_csv, means to blank missing sequences; it now gets them blank.
    dataset_module.pd = SimpleNamespace(**{**vars(pd), "read_csv": read_csv})


def _torch_scatter() -> None:
    if importlib.util.find_spec("torch_scatter") is not None:
        return
    from recbole.model.knowledge_aware_recommender import kgin, mcclk

    stand_in: Any = ModuleType("torch_scatter")
    stand_in.scatter_mean = _scatter_mean
    stand_in.scatter_softmax = _scatter_softmax

    def with_stand_in(forward: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            # Only while the layer runs: torch_geometric looks for the real package, and would find this.
            sys.modules["torch_scatter"] = stand_in
            try:
                return forward(*args, **kwargs)
            finally:
                del sys.modules["torch_scatter"]

        return wrapped

    for layer in (kgin.Aggregator, mcclk.Aggregator):
        layer.forward = with_stand_in(layer.forward)


def _ksr_precision() -> None:
    from recbole.model.sequential_recommender.ksr import KSR

    build = KSR.__init__

    def init(self: Any, config: Any, dataset: Any) -> None:
        build(self, config, dataset)
        self.relation_Matrix = self.relation_Matrix.float()

    KSR.__init__ = init


def _scatter_mean(src: torch.Tensor, index: torch.Tensor, dim: int, dim_size: int) -> torch.Tensor:
    """Average the rows of `src` [n, width] that share an index into [dim_size, width]; 0 for none."""
    total = src.new_zeros(dim_size, src.shape[1]).index_add(dim, index, src)
    count = torch.bincount(index, minlength=dim_size).clamp(min=1)
    return total / count.unsqueeze(1)


def _scatter_softmax(src: torch.Tensor, index: torch.Tensor, dim: int) -> torch.Tensor:
    """Softmax of `src` [n, width], per column, among the rows that share an index."""
    highest = src.new_zeros(int(index.max()) + 1, src.shape[1]).scatter_reduce(
        dim, index.unsqueeze(1).expand_as(src), src.detach(), "amax", include_self=False
    )
    # Less the group's highest value, so that exp() cannot overflow.
    weight = (src - highest[index]).exp()
    return weight / torch.zeros_like(highest).index_add(dim, index, weight)[index]


_GRAPH_MODELS = "LightGCN, NGCF, NCL, GCMC, SpectralCF, KGIN, MCCLK"

GAPS: tuple[Gap, ...] = (
    Gap("numpy_aliases", "all models: NumPy 1.24 dropped np.float, NumPy 2 np.float_", _numpy_aliases),
    Gap("command_line", "all models: Config takes our command line flags for settings", _command_line),
    Gap("eval_strings", "all models: Config evaluates every string setting as Python code", _eval_strings),
    Gap("teacher_name", "KD_DAGFM: evaluates its setting `teacher` as Python code", _teacher_name),
    Gap(
        "pickled_checkpoints",
        "all models: torch >= 2.6 refuses a checkpoint with a pickled Config in it",
        checkpoints.store_plainly,
    ),
    Gap("dok_matrix_update", f"{_GRAPH_MODELS}: SciPy >= 1.13 has no dok_matrix._update", _dok_matrix_update),
    Gap("pandas_fillna", "all models: with copy-on-write fillna(inplace=True) is void", _pandas_fillna),
    Gap("ksr_precision", "KSR: multiplies its float32 states by float64 relation vectors", _ksr_precision),
    Gap("torch_scatter", "KGIN, MCCLK: need torch_scatter, which has no wheel on PyPI", _torch_scatter),
    Gap("faiss", "NCL: clusters with faiss, and asks it for a GPU", clusters.replace_faiss),
    Gap("dgl", "KGAT: builds its graph with dgl, which has no wheel for today's torch", kgat_graph.replace_dgl),
    Gap("loss_parts", "RecVAE, KGAT, MKR: their trainers cannot add up a loss of parts", loss_parts.accept_parts),
    Gap(
        "metric_data",
        "all models: ItemCoverage, AveragePopularity, GiniIndex and TailPercentage cannot be measured",
        metric_data.keep_counts,
    ),
)
