"""What a transfer loss is: a pure function of student and teacher rows, found by its YAML name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

import torch
from annotated_types import Ge, Gt

from utils.registry import Registry

# (student [n, dim], teacher [n, dim], and its own options by keyword) -> scalar.
Formula = Callable[..., torch.Tensor]
# What a formula puts side by side: each row with its own teacher's, of one width; the relations between the rows
# of a batch, whatever the two widths are; or scores [users, items].
Compares = Literal["rows", "relations", "scores"]

# Types of options, with their range: a scenario's values are checked against them before anything runs.
Positive = Annotated[float, Gt(0)]
PositiveCount = Annotated[int, Ge(1)]
AtLeastTwo = Annotated[int, Ge(2)]


@dataclass(frozen=True)
class Loss:
    """A formula under a name.

    compares: what it puts side by side. masks: it is asked of rows whose input was hidden from the model.
    contrasts: each row is set against all others of the batch, so that no user or item may be in it twice.
    """

    name: str
    formula: Formula
    compares: Compares = "rows"
    masks: bool = False
    contrasts: bool = False

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor, **options: float) -> torch.Tensor:
        """The loss, a scalar; no gradient flows into the teacher."""
        return self.formula(student, teacher.detach(), **options)

    @property
    def options(self) -> Mapping[str, tuple[Any, float]]:
        """Option -> (type with its range, default): the formula's parameters that are given by keyword only."""
        hints = get_type_hints(self.formula, include_extras=True)
        parameters = inspect.signature(self.formula).parameters.values()
        return {
            one.name: (hints[one.name], one.default) for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY
        }


LOSSES: Registry[Loss] = Registry("loss", package="models.losses")


def loss(
    name: str, compares: Compares = "rows", masks: bool = False, contrasts: bool = False
) -> Callable[[Formula], Formula]:
    """Decorator that makes a formula usable as `distil_loss: name`; the function stays as it is."""

    def enter(formula: Formula) -> Formula:
        LOSSES.register(name)(Loss(name, formula, compares, masks, contrasts or compares != "rows"))
        return formula

    return enter
