"""A loss is found by its name: ours, LLM-KT's, or a class of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from models import losses
from models.losses import DistilLosses, find_loss
from models.losses.base import Loss
from models.losses.legacy import LegacyLoss
from models.losses.rmse import rmse
from utils.registry import BrokenModule, UnknownName

OWN = """
from models.losses import DistilLosses

class MyRMSE(DistilLosses):
    pass

class Unrelated:
    pass
"""


def test_a_formula_is_found_by_name() -> None:
    found = find_loss("rmse", "NeuMF")
    assert isinstance(found, Loss)
    assert found.formula is rmse


def test_a_loss_of_llm_kt_is_found_by_name() -> None:
    assert find_loss("SimpleXUserRMSE", "SimpleX") == LegacyLoss("rmse", "users", "input", "batch")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("rmsee", "unknown loss 'rmsee'; did you mean 'rmse'?"),
        ("AutoIntUserCosSim", "unknown loss 'AutoIntUserCosSim'; did you mean 'AutoIntUserRMSE'?"),
        # The base class computes nothing, and a helper of a loss module is no loss.
        ("DistilLosses", "unknown loss 'DistilLosses'"),
        ("LegacyLoss", "unknown loss 'LegacyLoss'"),
    ],
)
def test_a_miss_suggests_the_nearest_name(name: str, error: str) -> None:
    with pytest.raises(UnknownName) as caught:
        find_loss(name, "NoSuchModel")
    assert str(caught.value).startswith(error)


def test_a_class_of_ones_own_lies_in_models_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_for_this_test.py").write_text(OWN)
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    found = find_loss("MyRMSE", "NeuMF")
    assert isinstance(found, type)
    assert issubclass(found, DistilLosses)
    with pytest.raises(UnknownName, match="unknown loss 'Unrelated'"):
        find_loss("Unrelated", "NeuMF")
    sys.modules.pop("models.losses.mine_for_this_test")


def test_a_module_that_does_not_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_for_this_test.py").write_text("import no_such_package\n")
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    with pytest.raises(BrokenModule, match=r"models\.losses\.broken_for_this_test cannot be imported: ModuleNotFound"):
        find_loss("NoSuchLoss", "NeuMF")


def test_a_model_name_that_is_no_identifier_has_no_file() -> None:
    with pytest.raises(UnknownName, match="unknown loss 'mine'"):
        find_loss("mine", "a.b")


def test_a_class_of_ones_own_may_lie_in_the_models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import models

    (tmp_path / "mymodel.py").write_text(OWN)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    found = find_loss("MyRMSE", "MyModel")
    assert isinstance(found, type)
    assert found.__module__ == "models.mymodel"
    module = sys.modules.pop("models.mymodel")
    assert isinstance(module, ModuleType)
