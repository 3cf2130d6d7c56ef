from __future__ import annotations

from pathlib import Path

import pytest

from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

NEUMF = "model: NeuMF\ndataset: ml-100k\n"
VECTORS = "llm_config: {preprocess_random: {random: True, random_users_emb_file: user64.pt}}\n"


def names(built):
    return [step.command.name for step in built.steps]


@pytest.mark.parametrize(
    "step",
    [
        "{'command': 'print', 'params': hello}",
        "{'params': hello, 'command': 'print'}",
        "{command: print, params: {text: hello}}",
        "{print: hello}",
        "{print: {text: hello}}",
    ],
)
def test_every_form_of_a_step_gives_the_same_command(build, step):
    (read,) = build(f"{NEUMF}scenario: [{step}]\n").steps
    assert read.command.name == "print"
    assert read.command.text == "hello"


@pytest.mark.parametrize(
    "step",
    [
        "init_model",
        "init_model: ",
        "init_model: ~",
        "init_model: None",
        "init_model: 'None'",
        "init_model: {}",
        "{command: init_model}",
        "{command: init_model, params: None}",
        "{'command': 'init_model', 'params': 'None'}",
    ],
)
def test_a_command_without_parameters_may_have_null_for_them(build, step):
    assert names(build(f"{NEUMF}scenario:\n  - {step}\n")) == ["init_model"]


def test_a_quoted_none_is_a_text_anywhere_else(build):
    built = build(f"{NEUMF}scenario: [print: {{text: 'None'}}, set: {{note: 'None', bare: None}}]\n")
    assert built.steps[0].command.text == "None"
    assert built.steps[1].command.variables == {"note": "None", "bare": None}


@pytest.mark.parametrize(
    ("step", "values"),
    [
        ("set_trainable: [[4, '*'], False]", {"layers": [4, "*"], "trainable": False}),
        ("set_trainable: {layers: [4], trainable: True}", {"layers": [4], "trainable": True}),
        ("info: 1", {"verbose": 1}),
        ("set: {train_part: 0}", {"variables": {"train_part": 0}}),
        ("set_config: {epochs: 2}", {"values": {"epochs": 2}}),
    ],
)
def test_shorthand_fills_the_fields_that_it_stands_for(build, step, values):
    built = build(f"{NEUMF}scenario: [init_model, {step}, init_trainer]\n")
    assert {name: getattr(built.steps[1].command, name) for name in values} == values


def test_an_alias_is_the_same_command(build):
    head = f"{NEUMF}{VECTORS}scenario: [init_model, wrap_model: {{distil_loss: rmse, users_emb_file: user64.pt}}, "
    assert names(build(f"{head}set_output: [9]]\n")) == names(build(f"{head}set_outputs: [9]]\n"))


def test_a_step_knows_where_its_parameters_stand(build):
    text = f"{NEUMF}scenario:\n  - init_model\n  - {{command: set_trainable, params: [[4, 5], False]}}\n  - info: 1\n"
    built = build(text)
    _, trainable, info = built.steps
    assert trainable.locate(("layers", 1)) == ("scenario", 1, "params", 0, 1)
    assert built.source.problem(trainable.locate(("layers", 1)), "x").column == 43
    assert info.locate(("verbose",)) == ("scenario", 2, "info")
    assert info.locate(()) == ("scenario", 2, "info")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[train]", "train needs a trainer; put 'init_trainer' before it"),
        ("[init_trainer]", "init_trainer needs a model; put 'init_model' before it"),
        ("[init_model, set_outputs: [9]]", "set_outputs needs a wrapped model; put 'wrap_model' before it"),
        ("[init_model, init_trainer, test_eval]", "test_eval needs a trained model; put 'train' before it"),
        # A new model drops the trainer of the old one.
        ("[init_model, init_trainer, init_model, train]", "train needs a trainer; put 'init_trainer' before it"),
        # A new trainer has trained nothing.
        (
            "[init_model, init_trainer, train, init_trainer, test_eval]",
            "test_eval needs a trained model; put 'train' before it",
        ),
        ("[init_modle, init_trainer]", "unknown command 'init_modle'; did you mean 'init_model'?"),
        # Settings put between a misspelled command and its reader are not called unread.
        ("[init_model, set_config: {epochs: 5}, init_trainr]", "unknown command 'init_trainr'; did you mean "
         "'init_trainer'?"),
        ("[init_model: 5, init_trainer]", "init_model: got 5; accepted: no params"),
    ],
)  # fmt: skip
def test_one_mistake_gets_one_line(problems, steps, message):
    assert [found for _, _, found in problems(f"{NEUMF}scenario: {steps}\n")] == [message]


def test_what_is_wrong_with_a_setting_is_not_said_again_by_the_commands_that_read_it(problems):
    text = f"{NEUMF}add_train_split: half\nscenario: [set_train_dataset: 2]\n"
    assert problems(text) == [(3, 18, "add_train_split: got 'half'; accepted: a list of numbers greater than 0")]


def test_a_vector_file_may_be_written_by_an_earlier_step(build):
    steps = (
        "[encode_profiles: {users_file: a.pt}, reduce_dim: {file_in: a.pt, file_out: b.pt, dimension: 8}, init_model, "
    )
    wrap = "wrap_model: {distil_loss: rmse, users_emb_file: b.pt}]"
    assert len(build(f"{NEUMF}scenario: {steps}{wrap}\n").steps) == 4


def test_a_vector_file_may_be_written_by_an_earlier_scenario(build, problems):
    written: set[Path] = set()
    writer = build(f"{NEUMF}scenario: [encode_profiles: {{users_file: a.pt}}]\n")
    plan.build(writer.source, {}, written)
    assert written == {Path("datasets/llm_embeddings/ml-100k/a.pt")}
    reader = f"{NEUMF}scenario: [init_model, wrap_model: {{distil_loss: rmse, users_emb_file: a.pt}}]\n"
    assert len(problems(reader)) == 1
    Path("s.yaml").write_text(reader, "utf-8")
    assert plan.build(source.read(Path("s.yaml")), {}, written).steps


def test_random_vectors_have_names_even_where_none_are_given(build):
    text = f"{NEUMF}llm_config: {{preprocess_random: {{random: True}}}}\n"
    steps = "[init_model, wrap_model: {distil_loss: rmse, users_emb_file: user_random.pt}]"
    assert build(f"{text}scenario: {steps}\n").steps


def test_what_is_wrong_with_the_yaml_stands_beside_what_is_wrong_with_the_plan(problems):
    assert problems(f"{NEUMF}epochs: !!python/name:os.system\nscenario: [train, set_trainable: [[*], False]]\n") == [
        (3, 9, "tag '!!python/name:os.system' is not accepted; a scenario holds plain values only"),
        (4, 12, "train needs a trainer; put 'init_trainer' before it"),
        (4, 19, "set_trainable needs a model; put 'init_model' before it"),
        (4, 36, "a bare * starts a YAML alias; write '*' in quotes"),
    ]


def test_settings_of_the_command_line_are_stronger_than_the_files(build):
    built = build(f"{NEUMF}epochs: 5\nscenario: [init_model]\n", {"epochs": 7})
    assert built.settings["epochs"] == 7
    assert "scenario" not in built.settings


def test_a_wrong_setting_of_the_command_line_is_named_by_its_option(build):
    with pytest.raises(ScenarioError) as caught:
        build(f"{NEUMF}epochs: ten\nscenario: [init_model]\n", {"epochs": -1, "mf_embeding_size": 3})
    assert [problem.render() for problem in caught.value.problems] == [
        "--set epochs: epochs: got -1; accepted: an integer of at least 0",
        "--set mf_embeding_size: unknown RecBole setting 'mf_embeding_size'; did you mean 'mf_embedding_size'?",
    ]


def test_a_check_that_asks_for_a_wrong_setting_in_any_way_ends_there():
    settings = plan.Sound({"model": "NeuMF", "llm_config": 5}, {"llm_config"})
    assert {**settings} == dict(settings) == {"model": "NeuMF"}
    assert (settings["model"], settings.get("epochs", 3), "epochs" in settings) == ("NeuMF", 3, False)
    for ask in (settings.get, settings.__getitem__, settings.__contains__):
        with pytest.raises(plan._Wrong):
            ask("llm_config")


def test_what_was_said_before_a_wrong_setting_was_asked_for_stays_said(problems):
    # find_loss comes before the default vectors of llm_config.
    settings = "model: NeuMF\ndataset: ml-100k\nllm_config: 5\n"
    steps = "scenario: [init_model, wrap_model: {distil_loss: rmsee}]\n"
    wrong, loss = [message for _, _, message in problems(settings + steps)]
    assert wrong.startswith("llm_config: got 5; accepted: a mapping with embeddings_path")
    assert loss == "wrap_model.distil_loss: unknown loss 'rmsee'; did you mean 'rmse'?"
