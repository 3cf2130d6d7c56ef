"""A training's progress outlives its process in one file, and that of another training is not gone on with."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.training.fitting import FitOptions, fit
from utils.data.torch_files import save_plain
from utils.knowledge.fit_keeper import FileKeeper


class _Squares:
    """Weights are pulled towards 0; killed at the given call of `loss`."""

    def __init__(self, module: nn.Module, killed_at: int = -1) -> None:
        self.module, self.killed_at, self.calls = module, killed_at, 0

    def batches(self, epoch: int) -> list[int]:
        return [1, 2, 3]

    def size(self, batch: int) -> int:
        return 1

    def loss(self, batch: int) -> Tensor:
        self.calls += 1
        if self.calls == self.killed_at:
            raise KeyboardInterrupt
        return sum(parameter.square().sum() for parameter in self.module.parameters()) * batch

    def validate(self) -> tuple[float, float] | None:
        return None

    def describe(self, batch: int) -> str:
        return f"batch {batch}"


def test_a_killed_training_goes_on_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unbroken, killed, again = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    killed.load_state_dict(unbroken.state_dict())
    options = FitOptions(grad_accum_steps=1, learning_rate=0.1)
    fit(unbroken, _Squares(unbroken), options)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, _Squares(killed, killed_at=5), options, keeper=FileKeeper(tmp_path / "f.pt", "f1"))
    task = _Squares(again)
    fit(again, task, options, keeper=FileKeeper(tmp_path / "f.pt", "f1"))
    assert all(torch.equal(unbroken.state_dict()[name], value) for name, value in again.state_dict().items())
    # 9 steps, of which at least the first epoch's 3 were kept.
    assert task.calls <= 9 - 3


def test_where_there_is_no_file_there_is_no_reason(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "f.pt", "f1")
    assert keeper.load() is None
    assert keeper.unusable is None


def test_progress_under_another_fingerprint_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "f.pt"
    FileKeeper(path, "f1").save({"samples": 3})
    assert FileKeeper(path, "f1").load() == {"samples": 3}
    other = FileKeeper(path, "f2")
    assert other.load() is None
    assert other.unusable == f"{path} is of a training with other parameters or on other data"


@pytest.mark.parametrize("content", [[1, 2], {"format": 0, "state": {}}])
def test_a_file_of_another_version_is_not_used(tmp_path: Path, content: object) -> None:
    path = tmp_path / "f.pt"
    save_plain(path, content)
    keeper = FileKeeper(path, "f1")
    assert keeper.load() is None
    assert keeper.unusable == f"{path} was not written by this version of RecBridge"


def test_a_broken_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "f.pt"
    path.write_bytes(b"half a file")
    keeper = FileKeeper(path, "f1")
    assert keeper.load() is None
    assert keeper.unusable == f"{path} cannot be read: it is no whole torch file"


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with caplog.at_level(logging.WARNING):
        FileKeeper(tmp_path / "taken" / "f.pt", "f1").save({"samples": 3})
    assert "a resumed training would train more again" in caplog.text
