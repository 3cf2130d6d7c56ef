"""Settings that every RecBole model has been trained with are accepted: a check that refuses them would be wrong."""

from __future__ import annotations

import pytest

from tests.contracts.recbole_models import CASES, COMMON
from tests.contracts.tiny_dataset import write_tiny_dataset
from utils.scenario.settings import check_settings


@pytest.fixture(scope="module")
def data_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    write_tiny_dataset(folder)
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_working_settings_of_a_model_are_accepted(case, data_path):
    settings = {**COMMON, **case.settings, "model": case.name, "dataset": "tiny", "data_path": str(data_path)}
    assert [finding.message for finding in check_settings(settings)] == []
