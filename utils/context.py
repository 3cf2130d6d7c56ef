"""The state of one run: typed slots, filled by commands, and the only state there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.console import Console
from utils.journal.records import RunRecord
from utils.scenario import paths
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from models.transfer.wrapper import TransferWrapper
    from utils.recbole_port.session import Data


@dataclass
class RunContext:
    """Everything the commands of one scenario share.

    settings: the scenario's, as `set_config` may have changed them.
    stage: the `train_part` that results are recorded under.
    train_index: which train dataset `train` uses; None is the full one.
    transfer, outputs, trainable: what is wrapped, tapped and frozen now, as the record wants it.
    trainings: how many trainers this run has had; each writes a checkpoint of its own.
    """

    settings: dict[str, Any]
    record: RunRecord
    run_dir: Path
    scenario_path: Path
    console: Console
    config: Any = None
    model: Any = None
    wrapper: TransferWrapper | None = None
    trainer: Any = None
    stage: str = "0"
    train_index: int | None = None
    trainings: int = 0
    transfer: dict[str, Any] = field(default_factory=dict)
    outputs: list[int | str] = field(default_factory=list)
    trainable: list[Any] = field(default_factory=list)
    _data: Data | None = None
    _train_fingerprint: str | None = None

    @property
    def run_id(self) -> str:
        return self.record.run_id

    @property
    def experiment_dir(self) -> Path:
        return self.scenario_path.parent

    @property
    def vectors_dir(self) -> Path:
        return paths.vectors_dir(self.settings)

    @property
    def llm_config(self) -> Mapping[str, Any]:
        return self.settings.get("llm_config") or {}

    def vector_path(self, file_name: str) -> Path:
        """A vector or profile file of this dataset."""
        return self.vectors_dir / file_name

    def dataset_file(self, suffix: str) -> Path:
        """One of the dataset's atomic files, e.g. `.item`."""
        return paths.dataset_dir(self.settings) / f"{self.settings['dataset']}.{suffix}"

    def stage_facts(self) -> dict[str, Any]:
        """The open stage of the record."""
        return self.record.stages.setdefault(self.stage, {})

    @property
    def data(self) -> Data:
        """The dataset and its loaders, made at the first use."""
        if self._data is None:
            self._data = self._load_data()
        return self._data

    @property
    def train_fingerprint(self) -> str:
        """A hash of this run's train part; a text written from any other may hold test items."""
        if self._train_fingerprint is None:
            from utils.recbole_port.train_part import train_fingerprint

            self._train_fingerprint = train_fingerprint(self.recbole_config(), self.data)
        return self._train_fingerprint

    def recbole_config(self) -> Any:
        """RecBole's config of the current settings, made at the first use and kept in step by `set_config`."""
        from utils.recbole_port import session

        if self.config is None:
            self.config = session.build_config(self.settings, self.run_dir)
        return self.config

    def _load_data(self) -> Data:
        from utils.recbole_port import session
        from utils.recbole_port.training import message_of

        session.ship_dataset(self.settings)
        config = self.recbole_config()
        try:
            data = session.load_data(
                config, self.settings.get("add_train_split"), bool(self.settings.get("add_train_shuffle"))
            )
        except (ValueError, KeyError, session.DataError) as error:
            raise StepError(
                None, f"the dataset '{self.settings['dataset']}' cannot be loaded: {message_of(error)}"
            ) from error
        dataset = data.dataset
        self.record.dataset = {
            "name": self.settings["dataset"],
            # RecBole counts its padding row as well.
            "users": dataset.user_num - 1,
            "items": dataset.item_num - 1,
            "interactions": dataset.inter_num,
        }
        self.record.protocol = protocol(config)
        return data


def protocol(config: Any) -> dict[str, Any]:
    """How this run was split and measured, as RecBole resolved it: what a number means nothing without."""
    return {
        "model_type": config["MODEL_TYPE"].name.lower(),
        "eval_args": config["eval_args"],
        "valid_metric": config["valid_metric"],
        "metrics": config["metrics"],
        "topk": config["topk"],
        "repeatable": config["repeatable"],
        "device": str(config["device"]),
    }
