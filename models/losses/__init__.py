"""Transfer losses, one formula per file; `find_loss` is the door to all of them."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
from collections.abc import Iterator

from models.losses.base import LOSSES, Loss
from models.losses.legacy import LEGACY_LOSSES, DistilLosses, LegacyLoss
from utils.registry import UnknownName, import_own

__all__ = ["DistilLosses", "find_loss", "loss_names"]


def loss_names() -> list[str]:
    """Every name that `distil_loss` accepts without a class of one's own."""
    return sorted([*LOSSES.names(), *LEGACY_LOSSES])


def find_loss(name: str, model_name: str) -> Loss | LegacyLoss | type[DistilLosses]:
    """The loss of that name: a formula, one of LLM-KT's names, or a DistilLosses subclass of the user's own.

    Own classes are looked up in the modules of `models/losses` and in the model's own file.
    UnknownName with the nearest right name otherwise; BrokenModule where one of these files does not import.
    """
    if name in LEGACY_LOSSES:
        return LEGACY_LOSSES[name]
    if name in LOSSES:
        return LOSSES.get(name)
    for module_name in _modules(model_name):
        found = getattr(import_own(module_name), name, None)
        if inspect.isclass(found) and issubclass(found, DistilLosses) and found is not DistilLosses:
            return found
    raise UnknownName("loss", name, loss_names())


def _modules(model_name: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(__path__, prefix="models.losses."):
        yield module.name
    if not model_name.isidentifier():
        return
    for package in ("models", "models.recommenders"):
        name = f"{package}.{model_name.lower()}"
        # Looking inside a package that does not exist raises.
        if importlib.util.find_spec(package) is not None and importlib.util.find_spec(name) is not None:
            yield name
