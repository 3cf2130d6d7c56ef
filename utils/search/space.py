"""What a search may try: one dimension per setting or step parameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A grid over a range without steps would have no end.
NO_GRID = "a grid needs a list of values, or a step"


@dataclass(frozen=True)
class Dimension:
    """Values from a list, or numbers of a range (whole ones where both ends are whole)."""

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Written as whole numbers: from 0.0 to 1.0 there is more than 0 and 1."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))

    def ends(self) -> list[Any]:
        """Every choice, or the two ends of the range: what is checked before anything runs."""
        return list(self.choices) if self.choices else [self._number(self.low), self._number(self.high)]

    def points(self) -> list[Any]:
        """All values; ValueError for a range that has no step."""
        if self.choices:
            return list(self.choices)
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            raise ValueError(NO_GRID)
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        return [self._number(self.low + index * step) for index in range(count)]

    def suggest(self, trial: Any) -> Any:
        """A value that Optuna chooses."""
        if self.choices:
            # Optuna stores numbers and texts; a list is named by its place.
            return self.choices[trial.suggest_categorical(self.name, list(range(len(self.choices))))]
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)

    def fixed(self, value: Any) -> Any:
        """The value as Optuna stores it, for a trial that is set."""
        return self.choices.index(value) if self.choices else value

    def _number(self, value: float) -> float | int:
        # 0.1 + 2 * 0.1 is not 0.3.
        return int(value) if self.whole else float(f"{value:.12g}")


@dataclass(frozen=True)
class Space:
    """All dimensions, in the scenario's order."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Space:
        """From `search.space` as the scenario gives it."""
        return cls(
            tuple(
                Dimension(name, **given) if isinstance(given, Mapping) else Dimension(name, tuple(given))
                for name, given in section.items()
            )
        )

    def grid(self) -> list[dict[str, Any]]:
        """Every combination, the last dimension the fastest."""
        names = [dimension.name for dimension in self.dimensions]
        return [
            dict(zip(names, point, strict=True))
            for point in itertools.product(*(dimension.points() for dimension in self.dimensions))
        ]

    def suggest(self, trial: Any) -> dict[str, Any]:
        return {dimension.name: dimension.suggest(trial) for dimension in self.dimensions}
