"""A part is fitted by the mean gradient of its samples, stopped in time, and gone on with after a kill, bit for bit."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.training import fit_progress, fitting
from models.training.fit_progress import Epoch, FittingError
from models.training.fitting import FitOptions, fit
from models.training.warmup_cosine import learning_rate
from utils.knowledge.graph_record import epoch_facts

# 11 samples of 3 numbers in 5 batches: the last group of two batches is one batch of 1.
X = torch.randn(11, 3, generator=torch.Generator().manual_seed(3))
Y = X.sum(dim=1, keepdim=True)
BATCHES = [range(4), range(4, 5), range(5, 7), range(7, 10), range(10, 11)]
OPTIONS = FitOptions(epochs=3, learning_rate=0.05, min_lr=0.01, clip_grad_norm=None)
# 5 batches by twos.
STEPS = 3


def _module(seed: int = 0) -> nn.Sequential:
    """A frozen layer, a trained one with statistics and a mask, and a trained one."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))
    module[0].requires_grad_(False)
    # The same whatever the seed, as a language model would be.
    nn.init.constant_(module[0].weight, 0.5)
    nn.init.constant_(module[0].bias, -0.5)
    return module


class _Killed(BaseException):
    """The process is gone."""


class _Regression:
    """Squares of errors; the order of the batches turns with the epochs."""

    def __init__(self, module: nn.Module, batches: Sequence[range] = BATCHES, valid: Sequence[Any] | None = None):
        self.module, self._batches = module, list(batches)
        # Losses that validation tells, whatever the module does.
        self._valid = None if valid is None else iter(valid)
        self.calls, self.killed_at = 0, -1

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.killed_at:
            raise _Killed

    def batches(self, epoch: int) -> list[range]:
        return self._batches[epoch:] + self._batches[:epoch]

    def size(self, batch: range) -> int:
        return len(batch)

    def loss(self, batch: range) -> Tensor:
        self._call()
        # A batch of one has no variance of its own.
        self.module.train(len(batch) > 1)
        return nn.functional.mse_loss(self.module(X[batch]), Y[batch])

    def validate(self) -> tuple[float, float] | None:
        self._call()
        if self._valid is not None:
            return next(self._valid), 0.5
        self.module.eval()
        with torch.no_grad():
            return nn.functional.mse_loss(self.module(X), Y).item(), 0.5

    def describe(self, batch: range) -> str:
        return f"users {batch[0]} to {batch[-1]}"


class _Unvalidated(_Regression):
    def validate(self) -> None:
        return None


class _Memory:
    """A keeper whose content is as far from the training as a file."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.saves, self.killed_at = 0, -1

    def load(self) -> dict[str, Any] | None:
        return None if self.content is None else torch.load(io.BytesIO(self.content), weights_only=True)

    def save(self, state: dict[str, Any]) -> None:
        self.saves += 1
        if self.saves == self.killed_at:
            raise _Killed
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.content = buffer.getvalue()


def _facts(epochs: Sequence[Epoch]) -> list[dict[str, Any]]:
    """All of the epochs but how long they took."""
    return [asdict(replace(epoch, seconds=0, valid_s=0)) for epoch in epochs]


def _trained(task: _Regression, options: FitOptions = OPTIONS, keeper: _Memory | None = None) -> dict[str, Any]:
    """All that must be equal after a training."""
    epochs = fit(task.module, task, options, keeper=keeper)
    return {
        "weights": {name: value.tolist() for name, value in task.module.state_dict().items()},
        "epochs": _facts(epochs),
        "next draw": torch.rand(1).item(),
    }


@pytest.fixture
def kept_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_progress, "SHARE", float("inf"))


@pytest.mark.usefixtures("kept_at_every_step")
def test_a_training_that_was_killed_anywhere_ends_as_an_unbroken_one() -> None:
    task = _Regression(_module())
    unbroken = _trained(task)
    assert task.calls == 3 * (5 + 1)
    for killed_at in range(1, task.calls + 1):
        keeper, first = _Memory(), _Regression(_module())
        first.killed_at = killed_at
        with pytest.raises(_Killed):
            _trained(first, keeper=keeper)
        # Where nothing was kept yet the steps before the training make its start again.
        again = _Regression(_module(0 if keeper.content is None else 99))
        assert _trained(again, keeper=keeper) == unbroken
        # Never more than the two batches of one step are computed twice.
        assert again.calls + killed_at - 1 <= task.calls + 2


@pytest.mark.usefixtures("kept_at_every_step")
def test_a_training_that_was_killed_while_its_progress_was_written_ends_as_an_unbroken_one() -> None:
    unbroken = _trained(_Regression(_module()))
    # Once for each step, and once for each epoch.
    for killed_at in range(1, 3 * (STEPS + 1) + 1):
        keeper = _Memory()
        keeper.killed_at = killed_at
        with pytest.raises(_Killed):
            _trained(_Regression(_module()), keeper=keeper)
        again = _Regression(_module(0 if keeper.content is None else 99))
        assert _trained(again, keeper=keeper) == unbroken


@pytest.mark.usefixtures("kept_at_every_step")
def test_a_training_may_be_killed_twice() -> None:
    unbroken, keeper = _trained(_Regression(_module())), _Memory()
    for killed_at in (4, 6):
        task = _Regression(_module())
        task.killed_at = killed_at
        with pytest.raises(_Killed):
            _trained(task, keeper=keeper)
    assert _trained(_Regression(_module()), keeper=keeper) == unbroken


@pytest.mark.usefixtures("kept_at_every_step")
def test_the_best_epoch_and_the_count_of_samples_outlive_a_kill() -> None:
    """Killed in the third epoch, and the second's validation loss is the lowest."""
    unbroken = _trained(_Regression(_module(), valid=[2, 1, 3]))
    keeper, first = _Memory(), _Regression(_module(), valid=[2, 1])
    first.killed_at = 2 * (5 + 1) + 4
    with pytest.raises(_Killed):
        _trained(first, keeper=keeper)
    again, samples = _Regression(_module(99), valid=[3]), []
    epochs = fit(again.module, again, OPTIONS, on_step=samples.append, keeper=keeper)
    assert _facts(epochs) == unbroken["epochs"]
    assert {name: value.tolist() for name, value in again.module.state_dict().items()} == unbroken["weights"]
    # Two of the third epoch's three steps were left, of 1 + 4 and 1 samples.
    assert samples == [2 * 11 + 5 + 1 + 4, 3 * 11]


def test_a_finished_training_is_put_back_without_a_step() -> None:
    keeper = _Memory()
    finished = _trained(_Regression(_module()), keeper=keeper)
    again = _Regression(_module(99))
    assert _trained(again, keeper=keeper) == finished
    assert again.calls == 0


def test_progress_that_was_kept_before_validation_was_timed_is_gone_on_with() -> None:
    keeper = _Memory()
    finished = _trained(_Regression(_module()), keeper=keeper)
    state = keeper.load()
    assert state is not None
    for epoch in state["epochs"]:
        del epoch["valid_s"]
    keeper.save(state)
    again = _Regression(_module(99))
    assert _trained(again, keeper=keeper) == finished
    assert again.calls == 0


def test_the_time_of_an_epoch_tells_that_of_its_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(fitting.time, "perf_counter", lambda: clock[0])

    class Timed(_Regression):
        """A batch takes a second, validation ten."""

        def loss(self, batch: range) -> Tensor:
            clock[0] += 1
            return super().loss(batch)

        def validate(self) -> tuple[float, float] | None:
            clock[0] += 10
            return super().validate()

    task = Timed(_module())
    epochs = fit(task.module, task, OPTIONS)
    assert [(epoch.seconds, epoch.valid_s) for epoch in epochs] == [(5 + 10, 10)] * 3
    # Stages have the two apart, and of a checkpoint without the second the sum.
    facts = asdict(epochs[0])
    assert (epoch_facts(facts)["train_s"], epoch_facts(facts)["valid_s"]) == (5, 10)
    del facts["valid_s"]
    assert (epoch_facts(facts)["train_s"], epoch_facts(facts)["valid_s"]) == (15, 0)


def test_within_an_epoch_progress_is_kept_as_far_as_writing_takes_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, keeper = [0.0], _Memory()
    monkeypatch.setattr(fit_progress.time, "perf_counter", lambda: clock[0])
    progress = fit_progress.Progress(_module(), torch.optim.AdamW([torch.zeros(1)]), keeper)
    save = keeper.save

    def slow(state: dict[str, Any]) -> None:
        save(state)
        clock[0] += 1.0

    monkeypatch.setattr(keeper, "save", slow)
    saves = []
    for _ in range(12):
        clock[0] += 10.0
        progress.keep_within()
        saves.append(keeper.saves)
    # The first tells what it costs: 1 s, which is 2% of 50 s.
    assert saves == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]


def test_progress_of_another_module_is_refused() -> None:
    keeper = _Memory()
    _trained(_Regression(_module()), keeper=keeper)
    other = _Regression(nn.Sequential(nn.Linear(3, 1)))
    with pytest.raises(FittingError, match=r"another module: 2 missing: 0\.weight, 0\.bias"):
        fit(other.module, other, OPTIONS, keeper=keeper)


def test_a_step_follows_the_mean_gradient_of_all_its_samples_in_the_last_smaller_group_too() -> None:
    """Steps of 5, 5 and 1 samples, as batches and as a loop over whole steps that is written out."""
    module, by_hand = nn.Linear(3, 1), nn.Linear(3, 1)
    by_hand.load_state_dict(module.state_dict())
    options = replace(OPTIONS, epochs=1, warmup_epochs=0, clip_grad_norm=0.1)
    task = _Unvalidated(module)
    (epoch,) = fit(module, task, options)

    optimizer = torch.optim.AdamW(by_hand.parameters(), betas=options.betas, weight_decay=options.weight_decay)
    losses = []
    for step, samples in enumerate([range(5), range(5, 10), range(10, 11)]):
        plan = {"peak": 0.05, "warmup_epochs": 0, "min_lr": 0.01}
        optimizer.param_groups[0]["lr"] = learning_rate((step + 0.5) / 3, epochs=1, **plan)
        loss = nn.functional.mse_loss(by_hand(X[samples]), Y[samples])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(by_hand.parameters(), 0.1)
        optimizer.step()
    torch.testing.assert_close(module.state_dict(), by_hand.state_dict())
    assert epoch.train_loss == pytest.approx((5 * losses[0] + 5 * losses[1] + losses[2]) / 11)
    assert epoch.learning_rate == optimizer.param_groups[0]["lr"]


def test_the_best_epoch_is_put_back_and_patience_ends_the_training() -> None:
    """Validation losses 3, 1, 2, 1: the second is the best, since the fourth is no lower."""
    unstopped = replace(OPTIONS, epochs=6, lr_scheduler="constant", early_stopping_patience=2)
    task = _Unvalidated(_module())
    two = _trained(task, replace(unstopped, epochs=2))["weights"]
    stopped = _trained(_Regression(_module(), valid=[3, 1, 2, 1, 0]), unstopped)
    assert [epoch["best"] for epoch in stopped["epochs"]] == [True, True, False, False]
    assert stopped["weights"] == two


def test_without_patience_every_epoch_is_trained() -> None:
    options = replace(OPTIONS, epochs=5, early_stopping_patience=None)
    task = _Regression(_module(), valid=[1, 2, 3, 4, 0.5])
    epochs = fit(task.module, task, options)
    assert [epoch.best for epoch in epochs] == [True, False, False, False, True]


def test_without_validation_the_last_epoch_is_the_best() -> None:
    task = _Unvalidated(_module())
    epochs = fit(task.module, task, OPTIONS)
    assert [(epoch.valid_loss, epoch.valid_accuracy, epoch.best) for epoch in epochs] == [(None, None, True)] * 3


def test_an_epoch_begins_in_training_mode() -> None:
    """Validation leaves the module in evaluation mode, and so does whoever built it."""
    modes: list[bool] = []

    class Watched(_Regression):
        def loss(self, batch: range) -> Tensor:
            modes.append(self.module.training)
            return nn.functional.mse_loss(self.module(X[batch]), Y[batch])

    module = nn.Sequential(nn.Linear(3, 1)).eval()
    fit(module, Watched(module), OPTIONS)
    assert modes == [True] * 3 * 5


def test_the_module_is_told_to_evaluate_after_its_best_parameters_are_back() -> None:
    class Remembers(nn.Linear):
        """What it was when its mode was last set."""

        def train(self, mode: bool = True) -> Remembers:
            self.mode, self.remembered = mode, self.weight.detach().clone()
            return super().train(mode)

    module = Remembers(3, 1)
    fit(module, _Regression(module, valid=[1, 2, 3]), OPTIONS)
    assert module.mode is False
    assert torch.equal(module.remembered, module.weight)


def test_a_gradient_is_cut_to_its_limit_and_without_one_left_alone() -> None:
    def longest(limit: float | None) -> float:
        module = nn.Linear(3, 1)
        nn.init.zeros_(module.weight)
        nn.init.zeros_(module.bias)
        fit(module, _Unvalidated(module, [range(11)]), replace(OPTIONS, epochs=1, clip_grad_norm=limit))
        return torch.cat([module.weight.grad.flatten(), module.bias.grad]).norm().item()

    # With all weights 0 the loss is the mean of y squared, its gradient -2 y x and -2 y.
    whole = torch.cat([-2 * (Y * X).mean(dim=0), -2 * Y.mean(dim=0)]).norm().item()
    assert longest(None) == pytest.approx(whole)
    assert longest(0.1) == pytest.approx(0.1, rel=1e-4)
    assert whole > 0.1


def test_frozen_parameters_stay_and_the_trained_ones_move() -> None:
    module = _module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    fit(module, _Regression(module), OPTIONS)
    same = {name for name, value in module.state_dict().items() if torch.equal(value, before[name])}
    assert same == {"0.weight", "0.bias"}


def test_epochs_and_samples_are_told_as_they_pass() -> None:
    task, epochs, samples = _Regression(_module()), [], []
    returned = fit(task.module, task, OPTIONS, epochs.append, samples.append)
    assert epochs == returned
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2]
    # Groups of two batches of 4, 1, 2, 3 and 1 samples, which turn by one with each epoch.
    steps = [4 + 1, 2 + 3, 1, 1 + 2, 3 + 1, 4, 2 + 3, 1 + 4, 1]
    assert samples == list(itertools.accumulate(steps))


def test_the_rates_are_those_of_the_schedule() -> None:
    task = _Unvalidated(_module())
    epochs = fit(task.module, task, replace(OPTIONS, grad_accum_steps=5))
    # One step an epoch: half the warm-up, then the cosine at 1/4 and at 3/4 of its way: cos 45 degrees = sqrt(1/2).
    down = 0.04 * 0.5 * 0.5**0.5
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([0.05 / 2, 0.03 + down, 0.03 - down])


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_stops_the_training_with_its_step_and_samples(value: str) -> None:
    class Broken(_Regression):
        def loss(self, batch: range) -> Tensor:
            return super().loss(batch) * (float(value) if batch == BATCHES[3] else 1)

    task = Broken(_module())
    with pytest.raises(FittingError, match=f"the loss is {value} at step 1 of epoch 0: users 7 to 9"):
        fit(task.module, task, OPTIONS)
    assert all(parameter.isfinite().all() for parameter in task.module.parameters())


def test_a_gradient_that_is_not_finite_stops_the_training_before_it_is_followed() -> None:
    class Broken(_Regression):
        def loss(self, batch: range) -> Tensor:
            # The root of 0 is finite, and its gradient is not.
            return super().loss(batch) + ((self.module[3].weight * 0).sum().sqrt() if batch == BATCHES[3] else 0)

    task = Broken(_module())
    message = "the gradient is nan at step 1 of epoch 0: users 5 to 6; users 7 to 9"
    with pytest.raises(FittingError, match=message):
        fit(task.module, task, OPTIONS)
    assert all(parameter.isfinite().all() for parameter in task.module.parameters())


def test_a_validation_loss_that_is_not_finite_stops_the_training() -> None:
    task = _Regression(_module(), valid=[1, float("nan")])
    with pytest.raises(FittingError, match="the validation loss of epoch 1 is nan"):
        fit(task.module, task, OPTIONS)


def test_a_module_that_is_frozen_throughout_is_refused() -> None:
    module = _module().requires_grad_(False)
    with pytest.raises(FittingError, match="nothing to train: no parameter has requires_grad"):
        fit(module, _Regression(module), OPTIONS)


def test_losses_that_reach_no_trained_parameter_are_refused() -> None:
    class Beside(_Regression):
        def loss(self, batch: range) -> Tensor:
            return super().loss(batch).detach()

    module = _module()
    with pytest.raises(FittingError, match="no loss of epoch 0 depends on a parameter that is trained"):
        fit(module, Beside(module), OPTIONS)


def test_a_batch_that_reaches_no_trained_parameter_counts_with_a_gradient_of_zero() -> None:
    """A batch of 4 without a gradient and one of 1: the step is a fifth of the latter's gradient."""

    class Partly(_Unvalidated):
        def loss(self, batch: range) -> Tensor:
            loss = super().loss(batch)
            return loss.detach() if len(batch) == 4 else loss

    module = nn.Linear(3, 1)
    start = {name: value.clone() for name, value in module.state_dict().items()}
    gradients: list[Tensor] = []
    module.weight.register_hook(lambda gradient: gradients.append(gradient.clone()))
    fit(module, Partly(module, BATCHES[:2]), replace(OPTIONS, epochs=1))
    expected = nn.Linear(3, 1)
    expected.load_state_dict(start)
    nn.functional.mse_loss(expected(X[4:5]), Y[4:5]).backward()
    torch.testing.assert_close(gradients, [expected.weight.grad / 5])


def test_an_epoch_without_batches_is_refused() -> None:
    module = _module()
    with pytest.raises(FittingError, match="epoch 0 has no batches"):
        fit(module, _Regression(module, []), OPTIONS)


def test_a_parameter_may_have_a_multiple_of_the_rate() -> None:
    # Adam's first step moves a parameter by its rate, whatever the gradient; the second weight has ten times as much.
    module = nn.ParameterDict({"a": nn.Parameter(torch.zeros(1)), "b": nn.Parameter(torch.zeros(1))})

    class Sum(_Unvalidated):
        def loss(self, batch: range) -> Tensor:
            return -(module["a"] + module["b"]).sum()

    options = FitOptions(
        epochs=1, grad_accum_steps=1, learning_rate=0.01, weight_decay=0, lr_scheduler="constant", warmup_epochs=0
    )
    (epoch,) = fit(module, Sum(module, [range(4)]), options, scale=lambda name: 10.0 if name == "b" else 1.0)
    assert module["a"].item() == pytest.approx(0.01, rel=1e-3)
    assert module["b"].item() == pytest.approx(10 * 0.01, rel=1e-3)
    assert epoch.learning_rate == pytest.approx(0.01)
