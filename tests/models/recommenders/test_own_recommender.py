"""A recommender of one's own is one file in `models/recommenders`; a scenario names it, checks and trains it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import models.recommenders
from tests.workspace import TRAIN, USERS, Workspace, metrics, transferred
from utils.recbole_port import known_models
from utils.recbole_port.known_models import KnownModel
from utils.scenario.errors import ScenarioError

SOURCE = """
from recbole.model.general_recommender import BPR

class MyBPR(BPR):
    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.twist = config["my_twist"]
"""


@pytest.fixture
def my_bpr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "recommenders" / "mybpr.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    monkeypatch.setattr(models.recommenders, "__path__", [*models.recommenders.__path__, str(file.parent)])
    monkeypatch.setitem(known_models.models(), "MyBPR", KnownModel("MyBPR", "own", file, "general"))
    yield
    sys.modules.pop("models.recommenders.mybpr", None)


def test_it_trains_plain_and_with_knowledge(my_bpr: None, tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    settings = {"model": "MyBPR", "embedding_size": 8, "my_twist": 1, "epochs": 1}
    plain = tiny.run(TRAIN, "plain", **settings)
    wrap = [{"wrap_model": {"distil_loss": "rmse", "users_emb_file": "u.pt"}}, {"set_outputs": ["user_embedding"]}]
    knowing = tiny.run([TRAIN[0], *wrap, *TRAIN[1:]], "knowing", **settings)
    assert set(metrics(plain.record)) == set(metrics(knowing.record)) == {"recall@5", "ndcg@5"}
    assert (transferred(plain.record), transferred(knowing.record)) == (False, True)


def test_a_setting_that_its_code_does_not_read_is_an_error(my_bpr: None, tiny: Workspace) -> None:
    with pytest.raises(ScenarioError, match="unknown RecBole setting 'my_twits'; did you mean 'my_twist'"):
        tiny.run(TRAIN, "typo", model="MyBPR", embedding_size=8, my_twits=1)
