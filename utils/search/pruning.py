"""Gives up a trial that is behind the others, from whichever process it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from utils.scenario.errors import Pruned


@dataclass
class Pruning:
    """Told of each epoch, writes the valid metric into the study and raises Pruned where Optuna's pruner says so.

    storage, study, number: where the trial is kept. metric: RecBole's name, as in the epochs' facts.
    """

    storage: str
    study: str
    number: int
    metric: str
    _told: int = field(default=0, init=False)
    _trial: Any = field(default=None, init=False, repr=False)

    def __call__(self, stage: str, facts: Mapping[str, Any]) -> None:
        value = facts["valid"].get(self.metric)
        # Counted through all trainings of the scenario; epochs of the second begin at 0 again.
        step, self._told = self._told, self._told + 1
        if value is None:
            return
        trial = self._trial = self._trial or self._load()
        # A resumed run tells its first epochs once more; a reported step stays as it is.
        trial.report(float(value), step)
        if trial.should_prune():
            raise Pruned(
                f"given up after epoch {facts['epoch']}: valid {self.metric} {value:.4f} is behind the median of the "
                "other trials there"
            )

    def __getstate__(self) -> dict[str, Any]:
        # A study holds a connection, which stays in its process.
        return {**self.__dict__, "_trial": None}

    def _load(self) -> Any:
        import optuna

        from utils.search.study import load, pruner

        study = load(self.storage, self.study, pruner())
        found = next(trial for trial in study.get_trials(deepcopy=False) if trial.number == self.number)
        return optuna.trial.Trial(study, found._trial_id)
