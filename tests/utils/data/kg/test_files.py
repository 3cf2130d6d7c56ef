"""A graph's files are text by column; what is wrong is said with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from utils.data.kg.files import KgError, read_graph, read_link, read_names

HEADER = "head_id:token\trelation_id:token\ttail_id:token\n"


def _kg(folder: Path, rows: str, header: str = HEADER) -> Path:
    path = folder / "x.kg"
    path.write_bytes((header + rows).encode())
    return path


def test_a_graph_is_its_distinct_triples_by_token(tmp_path: Path) -> None:
    graph = read_graph(_kg(tmp_path, "b\tlikes\ta\na\tknows\tc\nb\tlikes\ta\n"))
    assert (graph.entities, graph.relations) == (("a", "b", "c"), ("knows", "likes"))
    assert graph.triples.tolist() == [[0, 0, 2], [1, 1, 0]]


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    header = "weight:float\ttail_id:token\thead_id:token\trelation_id:token\n"
    graph = read_graph(_kg(tmp_path, "\tt\th\tr\n", header))
    assert (graph.entities, graph.triples.tolist()) == (("h", "t"), [[0, 0, 1]])


def test_words_for_nothing_and_quotes_are_tokens(tmp_path: Path) -> None:
    graph = read_graph(_kg(tmp_path, 'NA\tnull\tNone\n"a\tr\tb"\n1e5\tr\t007\n'))
    assert set(graph.entities) == {"NA", "None", '"a', 'b"', "1e5", "007"}
    assert graph.relations == ("null", "r")


def test_entities_are_in_the_order_of_code_points(tmp_path: Path) -> None:
    # In UTF-16, by which some sort, the last two change places.
    tokens = ["Z", "a", "é", "\uffee", "\U0001f600"]
    graph = read_graph(_kg(tmp_path, "".join(f"{token}\tr\tZ\n" for token in reversed(tokens))))
    assert list(graph.entities) == tokens == sorted(tokens)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_any_system_read_alike(end: str, tmp_path: Path) -> None:
    path = tmp_path / "x.kg"
    lines = ["\ufeff" + HEADER.strip(), "a\tr\tb", "", "b\tr\tc"]
    path.write_bytes(end.join(lines).encode())
    assert read_graph(path).triples.tolist() == [[0, 0, 1], [1, 0, 2]]


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.kg.gz"
    path.write_bytes(gzip.compress((HEADER + "a\tr\tb\n").encode()))
    assert read_graph(path).entities == ("a", "b")


def test_a_graph_may_be_empty(tmp_path: Path) -> None:
    graph = read_graph(_kg(tmp_path, ""))
    assert (len(graph), graph.triples.shape) == (0, (0, 3))


def test_a_link_file_keeps_every_row(tmp_path: Path) -> None:
    path = tmp_path / "x.link"
    path.write_text("entity_id:token\tfilm_id:token\nm.1\t1\nm.2\t1\nm.1\t2\n")
    assert read_link(path, "film_id") == [("1", "m.1"), ("1", "m.2"), ("2", "m.1")]


def test_the_first_name_counts_and_an_empty_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.names"
    path.write_text("entity_id\tname\nm.1\t\nm.2\tÆon Flux\nm.2\tAeon Flux\n", encoding="utf-8")
    assert read_names(path) == {"m.2": "Æon Flux"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a\tr\tb\na\tr\n", "line 3: 2 fields, the header has 3"),
        ("a\tr\tb\tc\n", "line 2: 4 fields, the header has 3"),
        ("\na\t\tb\n", "line 3: relation_id is empty"),
        ("a\tr\tb\n\tr\tb\n", "line 3: head_id is empty"),
    ],
)
def test_the_row_that_is_at_fault_is_named(rows: str, said: str, tmp_path: Path) -> None:
    path = _kg(tmp_path, rows)
    with pytest.raises(KgError) as error:
        read_graph(path)
    assert str(error.value) == f"{path}, {said}"


def test_the_byte_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.kg"
    path.write_bytes(HEADER.encode() + b"a\tr\tb\n" + "ab\tr\té\n".encode("latin-1"))
    # `ab`, a tab, `r` and a tab are five bytes.
    with pytest.raises(KgError, match=r"line 3: byte 6 is not UTF-8"):
        read_graph(path)


def test_a_header_without_a_column_is_told_what_is_there(tmp_path: Path) -> None:
    path = _kg(tmp_path, "a\tr\tb\n", "head_id\trelation_id\ttail\n")
    with pytest.raises(KgError) as error:
        read_graph(path)
    assert str(error.value) == (
        f"{path}, line 1: there is no column 'tail_id'; did you mean 'tail'? (columns: head_id, relation_id, tail)"
    )


def test_a_missing_file_is_told_the_one_beside_it(tmp_path: Path) -> None:
    _kg(tmp_path, "")
    with pytest.raises(KgError, match=r"there is no file .*y\.kg; did you mean 'x\.kg'\?"):
        read_graph(tmp_path / "y.kg")


def test_what_is_not_packed_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.kg.gz"
    path.write_text(HEADER)
    with pytest.raises(KgError, match=r"x\.kg\.gz cannot be read"):
        read_graph(path)


def test_a_packed_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.kg.gz"
    whole = gzip.compress((HEADER + "".join(f"a{row}\tr\tb{row * row}\n" for row in range(5000))).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KgError, match=r"x\.kg\.gz cannot be read"):
        read_graph(path)
