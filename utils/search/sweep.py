"""One search: which trial comes next, what it came to, and the best scenario in the end."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from utils.console import Console
from utils.jobs import Ended, Job
from utils.journal.records import RunRecord
from utils.report.comparison import SMALLER
from utils.runner import Extras
from utils.scenario.plan import Plan
from utils.scenario.settings import effective
from utils.scenario.together import trials_of
from utils.search import study as studies
from utils.search.apply import named_steps, plan_of, with_values
from utils.search.pruning import Pruning
from utils.search.space import Space

BEST_DIR = "best"
_VALUES = "values"


class Sweep:
    """The trials of one scenario's `search:`; `next_trial` and `tell` in turn, `finish` in the end.

    StudyError where the file of the studies cannot be used.
    """

    def __init__(self, plan: Plan, console: Console, resume: bool) -> None:
        self._plan, self._console = plan, console
        self._search: dict[str, Any] = plan.settings["search"]
        self._space = Space.of(self._search["space"])
        self._trials = trials_of(plan)
        self._metric = str(effective(plan.settings)["valid_metric"]).lower()
        folder = plan.path.parent
        self._storage = studies.storage_of(folder)
        steps = [(name, step.command.model_dump()) for name, step in named_steps(plan)]
        settings = {name: value for name, value in plan.settings.items() if name != "baseline"}
        self._name = studies.name_of(plan.path, [settings, steps])
        bigger = self._metric.partition("@")[0] not in SMALLER
        pruner = studies.pruner() if self._search.get("prune") else None
        self._study = studies.begin(self._storage, self._name, pruner, bigger, resume)
        # Trial number -> Optuna's id, of those that were given out.
        self._open: dict[int, Any] = {}
        self._cut = deque(self._unfinished())

    @property
    def what(self) -> str:
        done = len(self._finished())
        before = f", {done} done before" if done else ""
        over = ", ".join(dimension.name for dimension in self._space.dimensions)
        return f"search ({self._search.get('method', 'tpe')}) over {over}: {self._trials} trials{before}"

    @property
    def best(self) -> Any:
        """The trial with the best valid metric; None where none was completed."""
        complete = [trial for trial in self._study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
        return self._study.best_trial if complete else None

    def next_trial(self) -> Job | None:
        """The next trial as a job; None when all have been given out. One that was cut goes on first."""
        if self._cut:
            trial = self._cut.popleft()
            return self._job(trial.number, trial._trial_id, json.loads(trial.user_attrs[_VALUES]), resume=True)
        number = len(self._study.get_trials(deepcopy=False))
        if number - self._lost() >= self._trials:
            return None
        values, trial = self._choose(number)
        return self._job(trial.number, trial._trial_id, values, resume=False)

    def tell(self, ended: Ended) -> None:
        """Keep what a trial came to: its best valid metric. A cut one stays open."""
        from optuna.trial import TrialState

        assert ended.job.extras.search is not None
        trial_id = self._open.pop(ended.job.extras.search["trial"])
        record = ended.record
        if ended.cancelled or (record is not None and record.status == "cancelled"):
            return
        storage = self._study._storage
        value = _best_valid(record, self._metric) if record is not None else None
        if record is not None and record.status == "pruned":
            storage.set_trial_state_values(trial_id, TrialState.PRUNED)
        elif record is None or record.status != "done" or value is None:
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        else:
            self._console.line(f"    valid {self._metric} {value:.4f}")
            storage.set_trial_user_attr(trial_id, "run_id", record.run_id)
            storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [value])

    def finish(self) -> str:
        """Write the best scenario into `best/`; what the user is told."""
        trials = self._study.get_trials(deepcopy=False)
        count = {state: sum(trial.state.name == state for trial in trials) for state in ("COMPLETE", "PRUNED", "FAIL")}
        told = f"    {count['COMPLETE']} trials complete, {count['PRUNED']} given up early, {count['FAIL']} failed"
        best = self.best
        if best is None:
            return f"{told}; there is no best one"
        values = json.loads(best.user_attrs[_VALUES])
        tuned = {"trials": self._trials, "over": list(values), "by": f"{self._name}, trial {best.number + 1}"}
        path = self._plan.path.parent / BEST_DIR / f"{self._plan.path.stem}.yaml"
        path.parent.mkdir(exist_ok=True)
        head = (
            f"# The best of {self._trials} trials of {self._plan.path.name}: "
            f"valid {self._metric} {best.value:.4f} (run {best.user_attrs['run_id']}).\n"
        )
        path.write_text(head + with_values(self._plan, values, tested=True, tuned=tuned), encoding="utf-8")
        shown = ", ".join(f"{name}={value}" for name, value in values.items())
        return f"{told}\n    best valid {self._metric} {best.value:.4f}: {shown}\n    written to {path}"

    def _choose(self, number: int) -> tuple[dict[str, Any], Any]:
        """Values for the trial of that number, and Optuna's trial."""
        self._study.sampler = studies.sampler(self._search.get("method", "tpe"), self._search.get("seed", 0), number)
        if self._search.get("method") == "grid":
            points = self._space.grid()
            values = points[number % len(points)]
            fixed = {each.name: each.fixed(values[each.name]) for each in self._space.dimensions}
            self._study.enqueue_trial(fixed)
        trial = self._study.ask()
        values = self._space.suggest(trial)
        trial.set_user_attr(_VALUES, json.dumps(values))
        return values, trial

    def _job(self, number: int, trial_id: int, values: dict[str, Any], resume: bool) -> Job:
        self._open[number] = trial_id
        plan = plan_of(with_values(self._plan, values, tested=False), self._plan.path)
        pruning = Pruning(self._storage, self._name, number, self._metric) if self._search.get("prune") else None
        shown = ", ".join(f"{name}={value}" for name, value in values.items())
        label = f"[trial {number + 1}/{self._trials}] {self._plan.path}: {shown}"
        search = {"study": self._name, "trial": number, "values": values}
        return Job(label, plan, resume, Extras(search=search, on_epoch=pruning))

    def _unfinished(self) -> list[Any]:
        """Trials that a process before this one has begun and not ended."""
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.name == "RUNNING" and _VALUES in trial.user_attrs
        ]

    def _finished(self) -> list[Any]:
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state.is_finished()]

    def _lost(self) -> int:
        """Trials of a process that died between asking for values and keeping them."""
        trials = self._study.get_trials(deepcopy=False)
        return sum(trial.state.name == "RUNNING" and _VALUES not in trial.user_attrs for trial in trials)


def _best_valid(record: RunRecord, metric: str) -> float | None:
    """The valid metric of the last training's best epoch."""
    trained = [stage for stage in record.stages.values() if stage.get("best_val_res")]
    return trained[-1]["best_val_res"].get(metric) if trained else None
