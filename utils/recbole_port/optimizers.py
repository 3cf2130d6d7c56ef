"""RecBole's optimizers in torch's fused form, and sparse gradients where these change nothing but the time."""

from __future__ import annotations

from typing import Any

from torch import nn, optim

_FUSED = (optim.Adam, optim.AdamW, optim.SGD, optim.Adagrad)
_FUSED_DEVICES = {"cpu", "cuda"}
# Updating rows one by one pays where a batch touches few of them.
_ROWS_PER_SAMPLE = 4
_OURS = "_made_sparse"


class FastOptimizer:
    """Mixin for RecBole's trainers: one kernel per parameter and step; the numbers differ by rounding."""

    def _build_optimizer(self: Any, **kwargs: Any) -> optim.Optimizer:
        sparse = make_sparse(self.model, self.config) if "params" not in kwargs else []
        optimizer = super()._build_optimizer(**kwargs)  # type: ignore[misc]
        return optimizer if sparse else fuse(optimizer)


def fuse(optimizer: optim.Optimizer) -> optim.Optimizer:
    """The same optimizer, from here on with torch's fused kernels where it has them for all its parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    # Adagrad makes its counts of steps at once, on the CPU, where its kernel for GPUs does not look for them.
    devices = _FUSED_DEVICES - ({"cuda"} if isinstance(optimizer, optim.Adagrad) else set())
    fitting = all(one.is_floating_point() and one.device.type in devices for one in parameters)
    if type(optimizer) in _FUSED and fitting:
        for settings in (optimizer.defaults, *optimizer.param_groups):
            settings.update(fused=True, foreach=False)
    return optimizer


def make_sparse(model: nn.Module, config: Any) -> list[nn.Embedding]:
    """Give large embedding tables sparse gradients where the optimizer leaves rows without a gradient alone.

    That is SGD and Adagrad without weight decay. Adam's moments move every row in every step; a sparse Adam is
    another algorithm, which RecBole offers as `sparse_adam`. Clipping needs dense gradients.
    """
    tables = [table for table in model.modules() if isinstance(table, nn.Embedding)]
    for table in tables:
        # An earlier trainer of this model may have had another optimizer.
        if getattr(table, _OURS, False):
            table.sparse = False
    exact = config["learner"].lower() in {"sgd", "adagrad"} and not config["weight_decay"]
    if not exact or config["clip_grad_norm"]:
        return []
    least = _ROWS_PER_SAMPLE * config["train_batch_size"]
    large = [table for table in tables if table.num_embeddings > least and not table.scale_grad_by_freq]
    for table in large:
        table.sparse = True
        setattr(table, _OURS, True)
    return large
