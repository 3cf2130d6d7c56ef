"""TensorBoard finds what RecBole leaves out, and the settings for its HPARAMS tab."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer as PluginEventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups, metadata, plugin_data_pb2

from tests.utils.trackers.one_run import RUN_ID, TEST, new_record, play
from tests.workspace import TRAIN, Workspace
from utils.trackers.tensorboard import TensorBoard


def _read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = _read(folder)
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def _tags(folder: Path) -> dict[str, set[str]]:
    """The scalars of every folder below this one, whose name is that of TensorBoard's run."""
    runs = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload().Runs()
    return {name: set(found["scalars"]) for name, found in runs.items()}


def _session(folder: Path, tag: str) -> plugin_data_pb2.HParamsPluginData:
    content = _read(folder).SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tensorboard" / RUN_ID


def test_each_stage_has_its_valid_metrics_by_epoch_and_its_test(tmp_path: Path, folder: Path) -> None:
    play(TensorBoard(), new_record(), tmp_path)
    assert _scalars(folder / "stage-0") == {"Valid/ndcg@10": [(0, 0.125), (2, 0.25)]}
    assert _scalars(folder / "stage-fine") == {"Valid/ndcg@10": [(0, 0.5)], "Test/ndcg@10": [(0, 0.375)]}


def test_an_epoch_can_be_seen_before_the_run_is_over(tmp_path: Path, folder: Path) -> None:
    tracker = TensorBoard()
    tracker.start(new_record(), tmp_path)
    facts = {"epoch": 0, "losses": [1.0], "valid": {"ndcg@10": 0.5}, "train_s": 1.0, "valid_s": 1.0}
    tracker.epoch(new_record(), "0", facts)
    assert _scalars(folder / "stage-0") == {"Valid/ndcg@10": [(0, 0.5)]}


def test_a_resumed_run_replaces_the_epochs_that_it_tells_again(tmp_path: Path, folder: Path) -> None:
    for status in ("failed", "done"):
        play(TensorBoard(), new_record(), tmp_path, status, last=3)
    assert _scalars(folder / "stage-0")["Valid/ndcg@10"] == [(0, 0.125), (2, 0.25)]


def test_the_hparams_tab_has_the_scalar_settings_and_the_test_metrics(tmp_path: Path, folder: Path) -> None:
    play(TensorBoard(), new_record(), tmp_path)
    start = _session(folder / "hparams", metadata.SESSION_START_INFO_TAG).session_start_info
    settings = {key: value.string_value or value.number_value for key, value in start.hparams.items()}
    assert settings == {"model": "BPR", "seed": 7.0, "topk": "[10]", "eval_args.split.LS": "valid_only"}
    experiment = _session(folder / "hparams", metadata.EXPERIMENT_TAG).experiment
    assert [info.name.tag for info in experiment.metric_infos] == ["hparam/ndcg@10"]
    assert _scalars(folder / "hparams") == {"hparam/ndcg@10": [(0, TEST["ndcg@10"])]}


def test_only_a_run_that_is_done_has_a_session_that_succeeded(tmp_path: Path, folder: Path) -> None:
    play(TensorBoard(), new_record(), tmp_path, "failed")
    tags = _read(folder / "hparams").PluginTagToContent(metadata.PLUGIN_NAME)
    assert sorted(tags) == sorted([metadata.EXPERIMENT_TAG, metadata.SESSION_START_INFO_TAG])


def test_the_tab_itself_finds_one_session_with_setting_and_metric(tmp_path: Path) -> None:
    play(TensorBoard(), new_record(), tmp_path)
    events = PluginEventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    context = TBContext(data_provider=MultiplexerDataProvider(events, str(tmp_path)))
    tab = backend_context.Context(context)
    request = RequestContext()
    found = tab.experiment_from_metadata(
        request, "", False, tab.hparams_metadata(request, ""), tab.hparams_from_data_provider(request, "", 10)
    )
    asked = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[api_pb2.STATUS_SUCCESS],
        col_params=[api_pb2.ColParams(metric=info.name) for info in found.metric_infos],
        start_index=0,
        slice_size=10,
    )
    [group] = list_session_groups.Handler(request, tab, "", asked).run().session_groups
    assert group.hparams["seed"].number_value == 7
    assert [(value.name.tag, value.value) for value in group.metric_values] == [("hparam/ndcg@10", 0.375)]


def test_nothing_that_recbole_writes_is_written_again(tiny: Workspace) -> None:
    record = tiny.run(TRAIN).record
    folder = tiny.folder / "log" / "tensorboard" / record.run_id
    recboles = {name for name in _tags(folder) if name.startswith("trainer-")}
    assert {"Loss/Train", "Vaild_score"} <= _tags(folder)["trainer-1"]
    tracker = TensorBoard()
    tracker.start(record, tiny.folder / "ours")
    for facts in record.stages["0"]["epochs"]:
        tracker.epoch(record, "0", facts)
    tracker.end(record)
    ours = _tags(tiny.folder / "ours" / "tensorboard" / record.run_id)
    assert ours == {
        "stage-0": {"Valid/recall@5", "Valid/ndcg@5", "Test/recall@5", "Test/ndcg@5"},
        "hparams": {"hparam/recall@5", "hparam/ndcg@5"},
    }
    # Neither a curve nor a folder, where one of the two would hide the other's.
    assert not {tag for name in recboles for tag in _tags(folder)[name]} & {*ours["stage-0"], *ours["hparams"]}
    assert not recboles & set(ours)
