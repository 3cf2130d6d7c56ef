"""MLflow: an experiment per folder of scenarios, a run per run."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from utils.journal.index import flat
from utils.journal.outcome import outcome_of
from utils.journal.records import RunRecord
from utils.trackers.base import Tracker, epoch_values, tracker

_STATUS = {"done": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "pruned": "KILLED"}
# The store's own limits.
_PARAMS_AT_ONCE, _PARAM_CHARACTERS = 100, 6000


@tracker("mlflow")
class MLflow(Tracker):
    """Where the runs go is said by MLflow's own environment variables, MLFLOW_TRACKING_URI first of all.

    A resumed run goes on in the run that it had. MLflow takes no `@` in a name: `ndcg@10` is `ndcg_at_10` there.
    """

    package: ClassVar[str] = "mlflow"
    install: ClassVar[str] = "'.[mlflow]'"

    def start(self, record: RunRecord, log_dir: Path) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient()
        self._run = self._open_run(record)
        self._tag(scenario=record.scenario, seed=record.settings.get("seed"), status=record.status)
        params = [Param(_name(key), str(value)[:_PARAM_CHARACTERS]) for key, value in flat(record.settings).items()]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(self._run, params=params[first : first + _PARAMS_AT_ONCE])

    def epoch(self, record: RunRecord, stage: str, facts: Mapping[str, Any]) -> None:
        self._log(epoch_values(record, stage, facts), facts["epoch"])

    def end(self, record: RunRecord) -> None:
        outcome = outcome_of(record)
        self._log({f"test/{name}": value for name, value in outcome.metrics.items()} if outcome else {}, 0)
        self._tag(status=record.status, git_commit=record.environment.get("git_commit"))
        self._client.set_terminated(self._run, _STATUS[record.status])
        # Last, since a server's artifacts may need packages that are not here.
        with tempfile.TemporaryDirectory() as folder:
            self._client.log_artifact(self._run, str(record.write(Path(folder))))

    def _open_run(self, record: RunRecord) -> str:
        name = Path(record.scenario).absolute().parent.name
        of = self._experiment(name)
        wanted = f"attributes.run_name = '{record.run_id}'"
        for earlier in self._client.search_runs([of], wanted) if record.resumed else ():
            self._client.update_run(earlier.info.run_id, status="RUNNING")
            return str(earlier.info.run_id)
        return str(self._client.create_run(of, run_name=record.run_id).info.run_id)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:
                # A run beside this one may have been first.
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        return str(experiment.experiment_id)

    def _tag(self, **tags: Any) -> None:
        for key, value in tags.items():
            if value is not None:
                self._client.set_tag(self._run, key, value)

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(_name(key), value, now, step) for key, value in values.items()])


def _name(key: str) -> str:
    return re.sub(r"[^\w.\- /]", "_", key.replace("@", "_at_"))
