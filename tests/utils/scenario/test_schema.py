from __future__ import annotations

import pytest

from utils.commands.base import COMMANDS
from utils.scenario import schema


@pytest.fixture(scope="module")
def built():
    return schema.build_schema()


def test_the_committed_schema_is_the_generated_one(built):
    assert schema.SCHEMA_FILE.read_text("utf-8") == schema.text_of(built), "run: python -m utils.scenario.schema"


def test_check_says_whether_the_file_is_up_to_date(built, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(schema, "build_schema", lambda: built)
    monkeypatch.setattr(schema, "SCHEMA_FILE", tmp_path / "scenario.schema.json")
    assert schema.main(["--check"]) == 1
    assert schema.main([]) == 0
    assert schema.main(["--check"]) == 0
    assert "is up to date" in capsys.readouterr().out


def test_it_offers_every_command_by_name_and_alias(built):
    _, by_command, by_name = built["properties"]["scenario"]["items"]["anyOf"]
    assert by_command["properties"]["command"]["enum"] == COMMANDS.known()
    assert sorted(by_name["properties"]) == COMMANDS.known()


def test_it_tells_what_recbole_says_about_a_setting(built):
    weight_decay = built["properties"]["weight_decay"]
    assert weight_decay["description"] == "The weight decay value (L2 penalty) for optimizers."
    assert weight_decay["default"] == 0.0


def test_it_tells_what_we_say_about_our_own(built):
    assert built["properties"]["distil_loss_weight"]["minimum"] == 0
    assert "transfer_loss" in built["properties"]["distil_loss_weight"]["description"]


def test_a_setting_of_some_models_has_the_type_of_their_defaults(built):
    assert {"type": "integer", "exclusiveMinimum": 0} in built["properties"]["latent_dimension"]["anyOf"]
    assert {"type": "string", "enum": ["BPR", "CE"]} in built["properties"]["loss_type"]["anyOf"]


def test_a_refused_setting_is_not_offered(built):
    assert "dataset_save_path" not in built["properties"]
    assert "MODEL_TYPE" not in built["properties"]
