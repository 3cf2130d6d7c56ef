"""RecBole's trainers: built quietly, watched epoch by epoch, tested on the best model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.console import bar_over, plain
from utils.recbole_port.by_row import ByRow, watched
from utils.recbole_port.precision import bfloat16
from utils.recbole_port.session import kept_random_state, set_random_states

if TYPE_CHECKING:
    from utils.recbole_port.resume import Progress


class TrainingError(ValueError):
    """A training that cannot go on."""


@dataclass
class Epoch:
    """One epoch as it went: loss parts (model first, transfer second), valid metrics, seconds."""

    epoch: int
    losses: list[float]
    valid: dict[str, float] = field(default_factory=dict)
    train_s: float = 0.0
    valid_s: float = 0.0

    def facts(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Fit:
    """A finished training: best valid score and metrics, the epoch that had them, and every epoch.

    After a resumed training that improved nothing, score and epoch are the loaded checkpoint's, without metrics.
    """

    best_score: float | None
    best_valid: dict[str, float]
    best_epoch: int | None
    epochs: list[Epoch]


def build_trainer(config: Any, model: Any, checkpoint: Path, tensorboard_dir: Path) -> Any:
    """The trainer for this model; it writes to `checkpoint`, whose name never collides."""
    from recbole.trainer import trainer as trainer_module

    from utils.recbole_port.tensorboard import writer
    from utils.recbole_port.trainers import trainer_class

    # RecBole makes a folder of its own for TensorBoard and colours its bars whoever reads them.
    trainer_module.get_tensorboard = lambda logger: writer(tensorboard_dir)
    trainer_module.tqdm = bar_over
    trainer = trainer_class(config)(config, model)
    trainer.saved_model_file = str(checkpoint)
    return trainer


def close(trainer: Any) -> None:
    """Close the trainer's TensorBoard file; training again reopens it."""
    trainer.tensorboard.close()


def fit(
    trainer: Any,
    train: Any,
    valid: Any,
    show_progress: bool,
    on_epoch: Callable[[Epoch], None],
    progress: Progress | None = None,
    before_epoch: Callable[[int], None] = lambda epoch: None,
) -> Fit:
    """Train as `recbole.quick_start` does; `on_epoch` is told of each epoch after its validation.

    before_epoch: is told the number of each epoch before its first batch.
    progress: where the state of each epoch is kept, and what an earlier process has left of this training.
    """
    first = trainer.start_epoch
    # A resumed training that has no epoch left would be saved as if it were at its start.
    saved = first == 0 or first < trainer.epochs
    watch = _Watch(trainer, on_epoch, progress, before_epoch)
    try:
        with watch:
            if progress is not None and progress.complete:
                watch.put_back()
            else:
                if progress is not None and progress.epoch is not None:
                    trainer.start_epoch = progress.epoch
                trainer.fit(train, valid, saved=saved, show_progress=show_progress)
            watch.finished()
    except ValueError as error:
        if str(error) != "Training loss is nan":
            raise
        epoch = first + len(watch.epochs)
        raise TrainingError(
            f"the training loss became NaN in epoch {epoch}; a smaller learning_rate may help"
        ) from error
    score, result = trainer.best_valid_score, trainer.best_valid_result
    best_score = float(score) if math.isfinite(score) else None
    best_epoch = None
    if best_score is not None:
        best_epoch = watch.best_epoch(best_score) if result else first - 1
    return Fit(best_score, numbers(result or {}), best_epoch, watch.epochs)


def best_so_far(trainer: Any) -> tuple[float | None, dict[str, float]]:
    """(best valid score, its metrics) of a training that may have been cut short."""
    score = float(trainer.best_valid_score)
    return (score if math.isfinite(score) else None), numbers(trainer.best_valid_result or {})


def best_model_file(trainer: Any) -> Path | None:
    """The checkpoint of the best epoch so far; None where this trainer has written none."""
    path = Path(trainer.saved_model_file)
    return path if path.is_file() else None


def test(trainer: Any, train: Any, data: Any, show_progress: bool) -> tuple[dict[str, float], ByRow]:
    """Test metrics of the best model of this training, or of the model as it is where nothing was saved; and by row."""
    best = best_model_file(trainer) is not None
    # Popularity and coverage are counted on the train data, which a loaded model's trainer has not seen.
    trainer.eval_collector.data_collect(train)
    with watched(trainer) as rows:
        metrics = numbers(trainer.evaluate(data, load_best_model=best, show_progress=show_progress) or {})
    return metrics, rows


def test_in_bfloat16(trainer: Any, data: Any, show_progress: bool, states: tuple[Any, ...]) -> dict[str, float]:
    """The same metrics with scores from bfloat16 products, after `test`; empty unless the training took these.

    states: the random states before `test`, so that sampled candidates are the same; what follows is not touched.
    """
    if not getattr(trainer, "trains_in_bfloat16", False):
        return {}
    # What LightGCN and its kin keep of the scores before is float32's.
    names = [name for name in getattr(trainer.model, "other_parameter_name", ()) if name.startswith("restore_")]
    kept = {name: getattr(trainer.model, name) for name in names}
    vars(trainer.model).update(dict.fromkeys(names))
    try:
        with kept_random_state(), bfloat16(trainer.device):
            set_random_states(states)
            return numbers(trainer.evaluate(data, load_best_model=False, show_progress=show_progress))
    finally:
        vars(trainer.model).update(kept)


def numbers(result: Any) -> dict[str, float]:
    """Metrics as plain numbers."""
    return {str(name): float(value) for name, value in result.items()}


class _Watch:
    """Sees each epoch's loss parts and valid metrics, which RecBole only logs, while it is open.

    At the entry of each epoch it has its state kept, and that of an earlier process put back.
    """

    def __init__(
        self,
        trainer: Any,
        on_epoch: Callable[[Epoch], None],
        progress: Progress | None,
        before_epoch: Callable[[int], None],
    ) -> None:
        self._trainer, self._on_epoch, self._progress = trainer, on_epoch, progress
        self._before_epoch = before_epoch
        self.epochs: list[Epoch] = []
        self._told = 0
        self._last = time.perf_counter()

    def __enter__(self) -> _Watch:
        replaced = {
            "_train_epoch": self._train_epoch,
            "_add_train_loss_to_tensorboard": self._trained,
            "_valid_epoch": self._validated,
        }
        self._methods = {name: getattr(self._trainer, name) for name in replaced}
        vars(self._trainer).update(replaced)
        return self

    def __exit__(self, *error: object) -> None:
        for name in self._methods:
            del vars(self._trainer)[name]
        self._tell()

    def best_epoch(self, score: float) -> int | None:
        metric = self._trainer.valid_metric
        # RecBole keeps the last of several equally good epochs.
        scored = [epoch.epoch for epoch in self.epochs if epoch.valid and epoch.valid.get(metric) == score]
        return scored[-1] if scored else None

    def put_back(self) -> None:
        """What an earlier process has left of this training, in trainer and model, and told as if it were new."""
        epochs = self._progress.put_back() if self._progress is not None else None
        for facts in epochs or ():
            self.epochs.append(Epoch(**facts))
            self._tell()

    def finished(self) -> None:
        """The training is over, and can be put back as a whole from here on."""
        if self._progress is not None and not self._progress.complete:
            self._progress.finished([epoch.facts() for epoch in self.epochs])

    def _train_epoch(self, train: Any, epoch: int, *args: Any, **kwargs: Any) -> Any:
        if self._progress is not None:
            self._tell()
            started = time.perf_counter()
            self.put_back()
            self._progress.before(epoch, [earlier.facts() for earlier in self.epochs])
            # The epoch's own time is told, not that of its state.
            self._last += time.perf_counter() - started
        self._before_epoch(epoch)
        return self._methods["_train_epoch"](train, epoch, *args, **kwargs)

    def _trained(self, epoch: int, losses: Any, *args: Any, **kwargs: Any) -> None:
        self._tell()
        parts = losses if isinstance(losses, tuple) else (losses,)
        self.epochs.append(Epoch(epoch, [float(part) for part in parts], train_s=self._lap()))
        self._methods["_add_train_loss_to_tensorboard"](epoch, losses, *args, **kwargs)

    def _validated(self, *args: Any, **kwargs: Any) -> Any:
        self._lap()
        score, result = self._methods["_valid_epoch"](*args, **kwargs)
        if self.epochs:
            self.epochs[-1].valid = numbers(result)
            self.epochs[-1].valid_s = self._lap()
            self._tell()
        return score, result

    def _tell(self) -> None:
        """Report the last epoch once it is complete."""
        if len(self.epochs) > self._told:
            self._told = len(self.epochs)
            self._on_epoch(self.epochs[-1])

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return lap


def message_of(error: BaseException) -> str:
    """An error's text without RecBole's colours."""
    return plain(str(error)) or type(error).__name__
