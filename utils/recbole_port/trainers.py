"""The trainer of a run: the class that RecBole chooses, behind mixins that make it faster and leave its results."""

from __future__ import annotations

from typing import Any

from utils.recbole_port.by_row import RowsOfUsers
from utils.recbole_port.optimizers import FastOptimizer
from utils.recbole_port.precision import Precision
from utils.recbole_port.ranking import BlockRanking

_MIXINS: tuple[type, ...] = (RowsOfUsers, BlockRanking, Precision, FastOptimizer)


def trainer_class(config: Any) -> Any:
    """RecBole's trainer class of this model with our mixins before it, under the same name."""
    from recbole.utils import get_trainer

    theirs = get_trainer(config["MODEL_TYPE"], config["model"])
    return type(theirs.__name__, (*_MIXINS, theirs), {"__module__": __name__})
