from __future__ import annotations

from pathlib import Path

import pytest

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
MINE = "dataset: mine\nload_col: {inter: [user_id, item_id, rating, timestamp]}\n"


@pytest.fixture
def mine(tmp_path):
    """A dataset called mine, with interactions and items."""
    folder = tmp_path / "datasets" / "mine"
    folder.mkdir(parents=True)
    (folder / "mine.inter").write_text(INTER, "utf-8")
    (folder / "mine.item").write_text("item_id:token\ttitle:token_seq\n", "utf-8")
    return folder


def test_a_complete_dataset_is_accepted(mine, complaints):
    assert complaints(MINE) == []
    assert complaints("dataset: mine\nload_col: {inter: '*', item: [item_id, title]}") == []
    assert complaints("dataset: mine\nload_col: ~") == []


def test_ml_100k_need_not_be_there_yet(complaints):
    assert complaints("load_col: {inter: [user_id, item_id], user: '*', kg: '*'}") == []


def test_an_ml_100k_folder_that_lacks_its_file_is_not_taken_for_recboles(tmp_path, complaints):
    (tmp_path / "datasets" / "ml-100k").mkdir(parents=True)
    (message,) = complaints("")
    assert message.startswith("no file datasets/ml-100k/ml-100k.inter (data_path datasets holds no dataset")


def test_a_missing_dataset_names_those_that_are_there(mine, complaints):
    assert complaints("dataset: yours") == [
        "no file datasets/yours/yours.inter (data_path datasets holds mine; ml-100k comes with RecBole)"
    ]


def test_data_path_is_where_datasets_are_looked_for(mine, complaints):
    Path("datasets").rename("elsewhere")
    assert len(complaints(MINE)) == 1
    assert complaints(f"data_path: elsewhere\n{MINE}") == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "load_col: {inter: [user_id, item_id, raiting]}",
            "load_col.inter: mine.inter has no column 'raiting'; did you mean 'rating'? "
            "(columns: user_id, item_id, rating, timestamp)",
        ),
        ("load_col: {inter: '*', user: '*'}", "no file datasets/mine/mine.user, which load_col names"),
        ("load_col: {inter: [item_id]}", "load_col.inter lacks 'user_id', the USER_ID_FIELD, which this run needs"),
        (
            "load_col: {inter: '*', item: [title]}",
            "load_col.item lacks 'item_id', the ITEM_ID_FIELD, which this run needs",
        ),
        (
            "eval_args: {order: TO}",
            "load_col.inter (RecBole's default) lacks 'timestamp', the TIME_FIELD, which this run needs",
        ),
        ("threshold: {rating: 4}", "threshold: load_col.inter (RecBole's default) has no column 'rating'"),
        (
            "USER_ID_FIELD: user\nload_col: ~",
            "USER_ID_FIELD: mine.inter has no column 'user'; did you mean 'user_id'? "
            "(columns: user_id, item_id, rating, timestamp)",
        ),
        ("additional_feat_suffix: [ent]", "no file datasets/mine/mine.ent"),
        ("additional_feat_suffix: ent", "no file datasets/mine/mine.ent"),
    ],
)
def test_a_missing_file_or_column_is_named(mine, complaints, settings, message):
    assert complaints(f"dataset: mine\n{settings}") == [message]


def test_a_missing_column_is_shown_where_it_is_written(mine, problems):
    text = "model: NeuMF\ndataset: mine\nload_col:\n  inter: [user_id, item_id, sex]\nscenario: [init_model]\n"
    assert [(line, column) for line, column, _ in problems(text)] == [(4, 29)]


def test_benchmark_files_are_looked_for_one_by_one(mine, complaints):
    for part in ("train", "valid"):
        (mine / f"mine.{part}.inter").write_text(INTER, "utf-8")
    (message,) = complaints(f"{MINE}benchmark_filename: [train, valid, test]")
    assert message.startswith("no file datasets/mine/mine.test.inter")
    (mine / "mine.test.inter").write_text(INTER, "utf-8")
    assert complaints(f"{MINE}benchmark_filename: [train, valid, test]") == []


def test_the_field_separator_of_the_scenario_divides_the_header(mine, complaints):
    (mine / "mine.inter").write_text(INTER.replace("\t", ","), "utf-8")
    assert len(complaints(MINE)) > 0
    assert complaints(f"{MINE}field_separator: ','") == []


def test_a_model_of_a_knowledge_graph_needs_its_files_loaded(mine, complaints):
    (mine / "mine.kg").write_text("head_id:token\trelation_id:token\ttail_id:token\n", "utf-8")
    (mine / "mine.link").write_text("item_id:token\tentity_id:token\n", "utf-8")
    columns = "inter: [user_id, item_id, rating, timestamp]"
    lacking = "load_col lacks kg and link, from which CKE learns"
    assert complaints(f"model: CKE\ndataset: mine\nload_col: {{{columns}}}") == [lacking]
    assert complaints(f"model: CKE\ndataset: mine\nload_col: {{{columns}, kg: '*', link: '*'}}") == []
    assert complaints(f"model: NeuMF\ndataset: mine\nload_col: {{{columns}}}") == []
