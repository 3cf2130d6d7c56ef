"""A scenario and its controls: how they are named, what each is compared with, and what is corrected for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils.report.runs import run
from tests.workspace import TRAIN, USERS, Workspace, standing_in
from utils.folder import summary
from utils.report.baselines import compare_all
from utils.report.comparison import Comparison
from utils.report.variants import Run, variants_of

SEEDS = (1, 2, 3, 4, 5)
N_USERS = 200
NDCG = "ndcg@10"


def _users(seed: int, gain: float, kind: int) -> np.ndarray:
    """Every user gains `gain`, give or take what differs by user, seed and kind of run."""
    noise = np.random.default_rng([kind, seed]).normal(size=N_USERS)
    return np.random.default_rng(seed).uniform(0.2, 0.4, N_USERS) + gain + 0.01 * noise


def _runs(folder: Path, control: str | None, gain: float, name: str = "02_kt", seeds: Any = SEEDS) -> list[Run]:
    kind = ["plain", None, "random", "shuffled"].index(control)
    made = []
    for seed in seeds:
        settings = {} if control is None else {"control": control}
        vectors = {"side": "users", "file": "u.pt", "control": control or "none"}
        stage = {"vectors": [] if control == "plain" else [vectors]}
        loss = None if control == "plain" else "rmse"
        when = f"2026-01-01T00:00:0{kind}"
        users = _users(seed, gain, kind)
        changes = {"settings": settings, "stage": stage, "variant_of": {str(control)}, "started": when}
        changes["experiment"] = name
        made.append(run(folder, name, seed, users, loss, **changes))
    return made


def _all(folder: Path, name: str = "02_kt", **gains: float) -> list[Run]:
    """Knowledge gains .05, either control .02."""
    sizes = {"plain": 0.0, "knowledge": 0.05, "random": 0.02, "shuffled": 0.02, **gains}
    return [
        one
        for control, gain in sizes.items()
        for one in _runs(folder, None if control == "knowledge" else control, gain, name)
    ]


def _by_name(comparisons: dict[str, Comparison]) -> dict[str, Comparison]:
    return {found.variant.name: found for found in comparisons.values()}


def test_controls_are_named_as_such(tmp_path: Path) -> None:
    assert {variant.name for variant in variants_of(_all(tmp_path))} == {
        "02_kt (plain)",
        "02_kt (rmse)",
        "02_kt (rmse, random vectors)",
        "02_kt (rmse, wrong owners)",
    }


def test_each_is_compared_with_the_plain_twin_of_its_own_scenario(tmp_path: Path) -> None:
    # Another plain run of the same model, and a whole scenario with controls of its own, are there as well.
    other = [run(tmp_path, "01_plain", seed, _users(seed, 0.1, 9)) for seed in SEEDS]
    comparisons, reasons = compare_all(variants_of([*other, *_all(tmp_path), *_all(tmp_path, "03_kt")]))
    pairs = {(found.variant.name, found.baseline.name) for found in comparisons.values()}
    assert pairs == {
        (f"{name} ({label})", f"{name} (plain)")
        for name in ("02_kt", "03_kt")
        for label in ("rmse", "rmse, random vectors", "rmse, wrong owners")
    }
    assert reasons == {}
    assert all(found.unfair == [] for found in comparisons.values())


def test_knowledge_is_compared_with_each_control_too(tmp_path: Path) -> None:
    comparisons = _by_name(compare_all(variants_of(_all(tmp_path)))[0])
    knowledge = comparisons["02_kt (rmse)"]
    against = {found.baseline.name: found for found in knowledge.against_controls}
    assert set(against) == {"02_kt (rmse, random vectors)", "02_kt (rmse, wrong owners)"}
    for found in against.values():
        # What is left of .05 is what the control does not have: .05 - .02.
        assert found.gains[NDCG].gain == pytest.approx(0.03, abs=0.002)
        assert found.unfair == []
        assert found.verdict(NDCG) == "better"
    assert all(not found.against_controls for name, found in comparisons.items() if name != "02_kt (rmse)")


def test_a_gain_that_any_vectors_bring_is_no_knowledge(tmp_path: Path) -> None:
    comparisons = _by_name(compare_all(variants_of(_all(tmp_path, knowledge=0.02)))[0])
    found = comparisons["02_kt (rmse)"]
    assert found.verdict(NDCG) == "better"
    assert {one.verdict(NDCG) for one in found.against_controls} == {"no difference shown"}


def test_p_values_are_corrected_for_the_comparisons_with_controls_too(tmp_path: Path) -> None:
    # Nothing gains anything, so that no corrected p is cut off near 0.
    runs = _all(tmp_path, knowledge=0.0, random=0.0, shuffled=0.0)
    comparisons, _ = compare_all(variants_of(runs))
    gains = [
        one.gains[NDCG] for found in comparisons.values() for one in (found, *found.against_controls)
    ]  # Three with plain, and two of knowledge with a control.
    assert len(gains) == 3 + 2
    smallest = min(gains, key=lambda gain: gain.p or 1)
    assert smallest.p is not None
    assert smallest.holm == pytest.approx(min(5 * smallest.p, 1))


def test_without_a_plain_twin_a_control_is_the_baseline(tmp_path: Path) -> None:
    runs = [one for one in _all(tmp_path) if one.record.settings.get("control") != "plain"]
    comparisons, reasons = compare_all(variants_of(runs))
    found = _by_name(comparisons)["02_kt (rmse)"]
    assert found.baseline.name == "02_kt (rmse, random vectors)"
    assert [one.baseline.name for one in found.against_controls] == ["02_kt (rmse, wrong owners)"]
    assert all("no plain run of NeuMF" in reason for reason in reasons.values())


def test_a_named_baseline_is_stronger_and_controls_stay(tmp_path: Path) -> None:
    other = [run(tmp_path, "01_plain", seed, _users(seed, 0.01, 9)) for seed in SEEDS]
    comparisons, _ = compare_all(variants_of([*other, *_all(tmp_path)]), "01_plain")
    found = _by_name(comparisons)["02_kt (rmse)"]
    assert found.baseline.scenario == "01_plain"
    assert len(found.against_controls) == 2


def test_an_edited_scenario_is_not_compared_with_the_twins_of_its_former_self(tmp_path: Path) -> None:
    before = _all(tmp_path)
    changes: dict[str, Any] = {"settings": {"epochs": 5}, "variant_of": {"edited"}, "started": "2026-02-01T00:00:00"}
    edited = [run(tmp_path, "02_kt", seed, _users(seed, 0.05, 7), "rmse", **changes) for seed in SEEDS]
    comparisons, _ = compare_all(variants_of([*before, *edited]))
    found = next(one for one in comparisons.values() if one.variant.record.settings.get("epochs") == 5)
    assert found.against_controls == []


def test_a_scenario_whose_steps_were_edited_is_not_either(workspace: Workspace) -> None:
    # Settings do not tell: only a step is another.
    workspace.save_vectors("u.pt", USERS)
    workspace.save_vectors("other.pt", USERS, seed=1)
    runs = []
    for loss, file in (("mse", "u.pt"), ("cosine", "other.pt")):
        how = [{"wrap_model": {"distil_loss": loss, "users_emb_file": file}}, {"set_outputs": ["user_embedding"]}]
        for control in (None, "plain", "random"):
            settings = {} if control is None else {"control": control}
            done = workspace.run(["init_model", *how, *TRAIN[1:]], "edited", epochs=1, **settings)
            runs.append(Run(done.record, done.dir))
    with standing_in(workspace.folder):
        comparisons, _ = compare_all(variants_of(runs))
    for found in comparisons.values():
        for one in found.against_controls:
            assert one.baseline.outcomes[0].losses == found.variant.outcomes[0].losses
        assert found.baseline.record.experiment == found.variant.record.experiment
    assert sorted(len(found.against_controls) for found in comparisons.values()) == [0, 0, 1, 1]


def test_vectors_that_are_knowledge_only_in_part_are_no_control(tmp_path: Path) -> None:
    kinds = [{"side": side, "file": "x.pt", "control": kind} for side, kind in (("users", "none"), ("items", "random"))]
    (variant,) = variants_of([run(tmp_path, "01", 1, _users(1, 0.0, 9), "mse", stage={"vectors": kinds})])
    assert (variant.name, variant.control) == ("01 (mse, in part without knowledge)", "")


def test_a_baseline_by_name_is_the_scenario_itself_and_none_of_its_controls(tmp_path: Path) -> None:
    other = [run(tmp_path, "03_other", seed, _users(seed, 0.01, 9), "mse") for seed in SEEDS]
    comparisons, _ = compare_all(variants_of([*other, *_all(tmp_path)]), "02_kt")
    assert _by_name(comparisons)["03_other (mse)"].baseline.name == "02_kt (rmse)"
    comparisons, _ = compare_all(variants_of([*other, *_all(tmp_path)]), "02_kt (plain)")
    assert _by_name(comparisons)["03_other (mse)"].baseline.name == "02_kt (plain)"


def test_a_model_and_its_backbone_are_fair_only_with_the_same_settings(tmp_path: Path) -> None:
    def pair(**settings: Any) -> Comparison:
        runs = [
            run(tmp_path, "dcn", 1, _users(1, 0.0, 1), settings={"model": "DCN"}),
            run(tmp_path, "kar", 1, _users(1, 0.1, 2), "inputs", stage_settings={"kar_hidden_size": 8, **settings},
                settings={"model": "DCNKAR", "baseline": "dcn"}),
        ]  # fmt: skip
        return _by_name(compare_all(variants_of(runs))[0])["kar (inputs)"]

    assert pair().unfair == []
    assert pair(learning_rate=0.05).unfair == ["learning_rate: 0.05 against 0.001"]


def test_the_table_at_the_end_has_a_row_for_each(tmp_path: Path) -> None:
    rows = summary([one.record for one in _all(tmp_path)], None).splitlines()[2:6]
    assert [row.split("  ")[1] for row in rows] == [
        "02_kt (rmse)", "02_kt (plain)", "02_kt (rmse, random vectors)", "02_kt (rmse, wrong owners)",
    ]  # fmt: skip


def test_one_seed_with_controls_is_a_table_of_variants_too(tmp_path: Path) -> None:
    runs = [one for one in _all(tmp_path) if one.seed == 1]
    assert "02_kt (rmse, random vectors)" in summary([one.record for one in runs], None)


LOSS = [{"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}, {"set_outputs": ["user_embedding"]}]
START = [{"init_embeddings": {"users_emb_file": "u.pt", "trainable": False}}]


@pytest.mark.parametrize(("how", "label"), [(LOSS, "mse"), (START, "init_embeddings")])
def test_real_runs_and_their_controls_are_fair_to_each_other(how: list[Any], label: str, workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", USERS)
    runs = []
    for control in (None, "plain", "random", "shuffled"):
        settings = {} if control is None else {"control": control}
        done = workspace.run(["init_model", *how, *TRAIN[1:]], label, epochs=1, **settings)
        assert done.record.status == "done", done.console.text
        runs.append(Run(done.record, done.dir))
    with standing_in(workspace.folder):
        comparisons = _by_name(compare_all(variants_of(runs))[0])
    assert set(comparisons) == {
        f"{label} ({label})",
        f"{label} ({label}, random vectors)",
        f"{label} ({label}, wrong owners)",
    }
    found = comparisons[f"{label} ({label})"]
    assert len(found.against_controls) == 2
    assert all(one.unfair == [] for one in (*comparisons.values(), *found.against_controls))
    assert {one.baseline.name for one in comparisons.values()} == {f"{label} (plain)"}
