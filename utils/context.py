"""The state of one run: typed slots, filled by commands, and the only state there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from utils import paths
from utils.console import Console
from utils.data.fingerprint import combined, file_hashes
from utils.journal.earlier_runs import UNFINISHED_DIR
from utils.journal.records import RunRecord
from utils.scenario.errors import StepError
from utils.scenario.settings_schema import BridgeSettings

if TYPE_CHECKING:
    from models.transfer.teachers import Teacher
    from models.transfer.wrapper import TransferWrapper
    from utils.recbole_port.session import Data


@dataclass
class RunContext:
    """Everything the commands of one scenario share.

    settings: the scenario's, as `set_config` may have changed them.
    part: the `train_part` that was set last; stage: what results are recorded under, `part` or `part-2`, ...
    train_index: which train dataset `train` uses; None is the full one.
    transfer, outputs, trainable: what is wrapped, tapped and frozen now, as the record wants it.
    carried: how vectors came into the model besides a loss (init_embeddings ...), and with which parameters.
    vectors: which vectors are in the model: how they came in and where to -> their file, and what they are.
    frozen_vectors: parameters that hold vectors and are not trained for that reason.
    changed: what `set_config` has changed so far; in_force: all settings as the trainer was made with.
    lineage: the stages that have trained the present model.
    weights: what its weights are: fresh, those of the last or the best epoch, or from a file.
    loaded_from: the checkpoint that was loaded, and whether it had been trained with a transfer loss.
    unused_loss: a model was wrapped and no outputs have been set since.
    trainings: how many trainers this run has had; each writes a checkpoint of its own.
    on_epoch: is told stage and facts of each epoch; raises Pruned where a search gives the run up.
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
    part: str = "0"
    stage: str = "0"
    train_index: int | None = None
    trainings: int = 0
    transfer: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    trainable: list[Any] = field(default_factory=list)
    carried: dict[str, dict[str, Any]] = field(default_factory=dict)
    vectors: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    frozen_vectors: list[str] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)
    in_force: dict[str, Any] = field(default_factory=dict)
    lineage: list[str] = field(default_factory=list)
    weights: Literal["fresh", "last", "best", "file"] = "fresh"
    loaded_from: dict[str, Any] | None = None
    unused_loss: bool = False
    on_epoch: Callable[[str, Mapping[str, Any]], None] | None = None
    _data: Data | None = None
    _train_fingerprint: str | None = None

    @property
    def run_id(self) -> str:
        return self.record.run_id

    @property
    def unfinished_dir(self) -> Path:
        """What this run needs to go on after a crash; removed when it is done."""
        return self.run_dir / UNFINISHED_DIR

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

    def open_training(self) -> dict[str, Any]:
        """The stage for a new training: the open one, or the next where that holds a training already."""
        self._open_unused_stage()
        self.lineage = [*self.lineage, self.stage]
        return self.stage_facts()

    def open_test(self) -> dict[str, Any]:
        """The stage that a test of the present model belongs to: the one that trained it, whichever is open.

        A model that was loaded and not trained further gets a stage of its own.
        """
        if self.lineage:
            return self.record.stages[self.lineage[-1]]
        if self.stage_facts().get("lineage") != [] or self.stage_facts().get("loaded_from") != self.loaded_from:
            self._open_unused_stage()
        return self.stage_facts()

    def _open_unused_stage(self) -> None:
        """Make a stage the open one that holds neither a training nor a test: `0`, else `0-2`, `0-3`, ..."""
        number = 1
        self.stage = self.part
        while "lineage" in self.stage_facts():
            number += 1
            self.stage = f"{self.part}-{number}"

    @property
    def transferred(self) -> bool:
        """Whether the present model has been trained with a transfer loss, here or before it was loaded."""
        here = any(self.record.stages[name].get("transferred") for name in self.lineage)
        return here or bool((self.loaded_from or {}).get("transferred"))

    def provenance(self) -> dict[str, Any]:
        """What a checkpoint of this run has to say for itself when another run loads it."""
        from utils.recbole_port.train_part import ids_fingerprint

        return {
            "run_id": self.run_id,
            "train_fingerprint": self.train_fingerprint,
            "ids_fingerprint": ids_fingerprint(self.recbole_config(), self.data),
            "transferred": self.transferred,
        }

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
        if self.config is None:
            self.config = self._build_config()
        return self.config

    def change_settings(self, values: Mapping[str, Any]) -> None:
        """Settings from here on, in RecBole's config and in the running transfer loss as well."""
        self.settings.update(values)
        self.changed.update(values)
        if self.config is not None:
            self.config = self._build_config()
        if self.wrapper is not None:
            self.wrapper.weight = self.transfer_weight

    @property
    def transfer_weight(self) -> float:
        """a in (1-a) * model loss + a * transfer loss."""
        given = self.settings.get("distil_loss_weight")
        return float(BridgeSettings.model_fields["distil_loss_weight"].default if given is None else given)

    @property
    def is_plain(self) -> bool:
        """Whether this run is the plain twin of its scenario: the same steps, and nothing is transferred."""
        return self.settings.get("control") == "plain"

    def carry(self, how: str, parameters: Mapping[str, Any], teachers: Mapping[str, Teacher]) -> None:
        """Note that vectors have come into the model. teachers: by the place that they have come to."""
        self.carried[how] = {**self.carried.get(how, {}), **parameters}
        self.vectors |= {(how, place): told_of(teacher) for place, teacher in teachers.items()}

    def drop_trainer(self) -> None:
        """Let go of the trainer and of the files that it holds open."""
        from utils.recbole_port.training import close

        if self.trainer is not None:
            close(self.trainer)
        self.trainer = None

    def _build_config(self) -> Any:
        from utils.recbole_port import session
        from utils.recbole_port.training import message_of

        try:
            return session.build_config(self.settings, self.run_dir, before=self.config)
        except (ValueError, KeyError, TypeError, NotImplementedError, RuntimeError) as error:
            raise StepError(None, f"RecBole refuses these settings: {message_of(error)}") from error

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
        # set_config may have changed what the data depends on, the seed for one.
        self.record.settings |= {**self.settings, "seed": config["seed"]}
        self.record.dataset = {
            "name": self.settings["dataset"],
            # RecBole counts its padding row as well.
            "users": dataset.user_num - 1,
            "items": dataset.item_num - 1,
            "interactions": data.interactions,
            "files": (files := file_hashes(paths.dataset_dir(self.settings), self.settings["dataset"])),
            "fingerprint": combined(files),
        }
        self.record.protocol = protocol(config)
        return data


def told_of(teacher: Teacher) -> dict[str, Any]:
    """What the record says of vectors: whose, of which file, and whether they are knowledge or stand in its place."""
    return {"side": teacher.side, "file": teacher.source, "control": teacher.control}


def protocol(config: Any) -> dict[str, Any]:
    """How this run was split and measured, as RecBole resolved it: what a number means nothing without."""
    return {
        "model_type": config["MODEL_TYPE"].name.lower(),
        "eval_args": config["eval_args"],
        "valid_metric": config["valid_metric"],
        "metrics": config["metrics"],
        "topk": config["topk"],
        "repeatable": config["repeatable"],
        # Of sampled candidates no user has seen any.
        "filter_seen": config["filter_seen"] if "full" in config["eval_args"]["mode"].values() else None,
        "train_rows": config["train_rows"],
        "device": str(config["device"]),
    }
