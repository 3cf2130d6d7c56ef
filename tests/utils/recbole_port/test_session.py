"""RecBole's config, data and model are built from a scenario without changing it or the process."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workspace import SASREC, SETTINGS, TRAIN, Workspace
from utils.recbole_port import session
from utils.recbole_port.session import VISIBLE_GPUS, DataError, build_config, kept_process_state, kept_random_state


def test_recbole_does_not_change_the_scenarios_settings(workspace: Workspace) -> None:
    settings = workspace.context(
        eval_args={"split": {"RS": [0.8, 0.1, 0.1]}, "mode": "full"},
        train_neg_sample_args={"distribution": "uniform"},
        llm_config={"embeddings_path": "x"},
    ).settings
    before = copy.deepcopy(settings)
    config = build_config(settings, workspace.folder)
    config["train_neg_sample_args"]["sample_num"] = 99
    config["llm_config"]["embeddings_path"] = "y"
    assert settings == before


def test_settings_that_are_ours_do_not_reach_recbole(workspace: Workspace) -> None:
    config = workspace.context(distil_loss_weight=0.3, threads=1, save=False).recbole_config()
    assert [config[name] for name in ("distil_loss_weight", "threads", "save")] == [None, None, None]
    assert config["checkpoint_dir"] == str(workspace.folder)


@pytest.mark.parametrize(("given", "chosen"), [(None, "0"), ("3", "3"), ("", "")])
def test_the_users_gpus_are_those_that_recbole_looks_for(
    given: str | None, chosen: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is None:
        monkeypatch.delenv(VISIBLE_GPUS, raising=False)
    else:
        monkeypatch.setenv(VISIBLE_GPUS, given)
    with kept_process_state(None):
        assert workspace.context().recbole_config()["gpu_id"] == chosen
        assert os.environ[VISIBLE_GPUS] == chosen
    assert os.environ.get(VISIBLE_GPUS) == given


def test_without_a_gpu_the_cpu_is_used_whatever_use_gpu_says(workspace: Workspace) -> None:
    device = workspace.context(use_gpu=True).recbole_config()["device"]
    assert device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert workspace.context(use_gpu=False).recbole_config()["device"] == torch.device("cpu")


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with kept_process_state(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_random_state_is_given_back() -> None:
    import random

    import numpy as np

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    expected = draw()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    with kept_random_state():
        draw()
    assert draw() == expected


def _no_gpu_may_be_asked(*args: Any) -> None:
    raise AssertionError("torch looked for GPUs")


def test_no_gpu_is_looked_for_before_recbole_has_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    for name in ("get_rng_state_all", "set_rng_state_all", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, _no_gpu_may_be_asked)
    with kept_random_state():
        torch.rand(1)


def test_the_state_of_gpus_in_use_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: ["state"])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", given_back.extend)
    with kept_random_state():
        torch.rand(1)
    assert given_back == ["state"]


def test_gpus_that_come_up_in_between_are_seeded_like_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    in_use, seeds = [False], list[int]()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: in_use[0])
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    with kept_random_state():
        in_use[0] = True
    assert seeds == [5]


def test_another_gpu_is_refused_once_torch_has_looked_for_gpus(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_gpus_of_torch", None)
    monkeypatch.delenv(VISIBLE_GPUS, raising=False)
    in_use = [False]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: in_use[0])
    settings = workspace.context(gpu_id="1").settings
    with kept_process_state(None):
        build_config(settings, workspace.folder)
    in_use[0] = True
    with kept_process_state(None):
        # The same GPU, by another type, no GPU at all, and a GPU that is not used.
        for fine in ({"gpu_id": 1}, {"gpu_id": ""}, {"gpu_id": "2", "use_gpu": False}):
            build_config({**settings, **fine}, workspace.folder)
        with pytest.raises(DataError, match="gpu_id is '2', but this process uses '1' since an earlier scenario"):
            build_config({**settings, "gpu_id": "2"}, workspace.folder)
    with kept_process_state(None), pytest.raises(DataError, match="gpu_id is '0', but this process uses '1'"):
        build_config({key: value for key, value in settings.items() if key != "gpu_id"}, workspace.folder)


def test_a_second_model_is_trained_like_a_first_one(tiny: Workspace) -> None:
    steps = [{"set": {"train_part": 1}}, *TRAIN, {"set": {"train_part": 2}}, *TRAIN]
    files = {"kg": ["head_id", "relation_id", "tail_id"], "link": ["item_id", "entity_id"]}
    columns = {**SETTINGS["load_col"], **files}
    knowledge = {"model": "CKE", "embedding_size": 8, "kg_embedding_size": 8, "load_col": columns}
    split: dict[str, Any] = {"add_train_split": [1, 1]}
    for name, settings in {"plain": {}, "parts": split, "knowledge": knowledge}.items():
        part = [{"set_train_dataset": 0}] if name == "parts" else []
        run = tiny.run([*part, *steps], name, epochs=2, **settings)
        assert run.record.status == "done", run.console.text
        first, second = run.record.stages["1"], run.record.stages["2"]
        losses = [[epoch["losses"] for epoch in stage["epochs"]] for stage in (first, second)]
        assert losses[0] == losses[1], name
        assert first["best_test_res"] == second["best_test_res"]


def test_a_new_config_keeps_what_the_loaders_noted_in_the_old_one(workspace: Workspace) -> None:
    # BERT4Rec's loader writes the names of masked sequences into the config, and its model reads them there.
    ctx = workspace.context(model="BERT4Rec", train_neg_sample_args=None, hidden_size=8, inner_size=8)
    assert ctx.data.dataset.user_num == 31
    ctx.change_settings({"epochs": 1})
    assert ctx.recbole_config()["MASK_ITEM_SEQ"] == "Mask_item_id_list"
    assert ctx.recbole_config()["epochs"] == 1


def _parts(ctx: Any) -> list[set[tuple[int, int]]]:
    rows = [loader._dataset.inter_feat for loader in ctx.data.train]
    return [set(zip(part["user_id"].tolist(), part["item_id"].tolist(), strict=True)) for part in rows]


def test_train_parts_are_disjoint_and_the_last_one_is_everything(workspace: Workspace) -> None:
    first, second, full = _parts(workspace.context(add_train_split=[1, 3]))
    # 540 train interactions: a quarter is 135.
    assert (len(first), len(second), len(full)) == (135, 405, 540)
    assert not first & second
    assert first | second == full


def test_shuffled_parts_follow_the_seed(workspace: Workspace) -> None:
    def drawn(**settings: Any) -> set[tuple[int, int]]:
        return _parts(workspace.context(add_train_split=[0.5, 0.5], **settings))[0]

    assert drawn(add_train_shuffle=True) == drawn(add_train_shuffle=True)
    assert drawn(add_train_shuffle=True) != drawn(add_train_shuffle=False)
    assert drawn(add_train_shuffle=True, seed=1) != drawn(add_train_shuffle=True, seed=2)


def test_a_part_without_any_interaction_is_refused(workspace: Workspace) -> None:
    ctx = workspace.context()
    with pytest.raises(DataError, match=r"add_train_split \[1, 99999\]: part 0 of 540 train interactions is empty"):
        session.load_data(ctx.recbole_config(), [1, 99999], False)


def test_autoencoders_train_on_users_and_not_on_parts(workspace: Workspace) -> None:
    ctx = workspace.context(model="MultiDAE", train_neg_sample_args=None)
    with pytest.raises(DataError, match="add_train_split divides interactions; MultiDAE trains on UserDataLoader"):
        session.load_data(ctx.recbole_config(), [1, 1], False)


def test_order_by_time_needs_the_time(workspace: Workspace) -> None:
    ctx = workspace.context(load_col={"inter": ["user_id", "item_id"]})
    with pytest.raises(DataError, match=r"order TO needs the column 'timestamp'; loaded are user_id, item_id$"):
        session.load_data(ctx.recbole_config(), None, False)


def test_the_shipped_dataset_is_copied_once_and_left_alone(tmp_path: Path) -> None:
    settings = {"dataset": "ml-100k", "data_path": str(tmp_path / "datasets")}
    session.ship_dataset(settings)
    inter = tmp_path / "datasets" / "ml-100k" / "ml-100k.inter"
    assert len(inter.read_text().splitlines()) == 100_001
    inter.write_text("mine")
    session.ship_dataset(settings)
    assert inter.read_text() == "mine"
    assert [folder.name for folder in (tmp_path / "datasets").iterdir()] == ["ml-100k"]


def test_an_interrupted_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(source: Path, target: Path) -> None:
        Path(target).mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(session.shutil, "copytree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.ship_dataset({"dataset": "ml-100k", "data_path": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_other_datasets_are_not_shipped(tmp_path: Path) -> None:
    session.ship_dataset({"dataset": "tiny", "data_path": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("settings", [{}, SASREC])
def test_interactions_are_counted_before_a_model_type_drops_any(settings: dict[str, Any], tiny: Workspace) -> None:
    # 30 users with 20 interactions each, also for SASRec, which makes 19 targets of 20 items.
    context = tiny.context(**settings)
    assert context.data.interactions == 30 * 20
    assert context.record.dataset["interactions"] == 30 * 20
