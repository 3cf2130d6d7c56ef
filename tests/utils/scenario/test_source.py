from __future__ import annotations

import math

import pytest
import yaml

from utils.scenario import source
from utils.scenario.errors import ScenarioError


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        path = tmp_path / "s.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return source.read(path)

    return from_text


def said(file):
    return [(found.line, found.column, found.message) for found in file.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("2.", 2.0),
        (".5", 0.5),
        ("-3.5e+2", -350.0),
        ("7", 7),
        ("1_000", 1000),
        ("0x10", 16),
        (".inf", math.inf),
        ("None", None),
        ("null", None),
        ("~", None),
        ("", None),
        ("'None'", "None"),
        ("none", "none"),
        ("NoneType", "NoneType"),
        ("True", True),
        ("yes", True),
        ("off", False),
        ("2024-04-11", "2024-04-11"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("user1536.pt", "user1536.pt"),
    ],
)
def test_a_scalar_is_read_as_recbole_reads_it(read, written, value):
    assert read(f"key: {written}\n").data == {"key": value}
    assert source.parse_value(written) == value


def test_both_indentation_styles_give_the_same_data(read):
    assert read("model: NeuMF\nscenario:\n    [\n    ]\n").data == read("    model: NeuMF\n    scenario: []\n").data


def test_every_key_and_value_has_its_line_and_column(read):
    file = read("    model: NeuMF # the model\n    scenario:\n      - {command: info, 'params': [1, 2]}\n")
    assert file.key_marks[("model",)] == (1, 5)
    assert file.value_marks[("model",)] == (1, 12)
    assert file.value_marks[("scenario", 0)] == (3, 9)
    assert file.key_marks[("scenario", 0, "params")] == (3, 25)
    assert file.value_marks[("scenario", 0, "params", 1)] == (3, 39)


def test_a_problem_without_a_mark_stands_at_its_nearest_parent(read):
    file = read("model: NeuMF\neval_args: {mode: full}\n")
    assert file.problem(("eval_args", "split", "RS"), "x").column == 12
    assert file.problem((), "x").line == 0


def test_bare_stars_are_named_and_reading_goes_on_with_the_right_columns(read):
    file = read("a: [[*], *x, 5]\nb: [*.weight, '*', 7]\n")
    assert file.data == {"a": [["*"], "*x", 5], "b": ["*.weight", "*", 7]}
    assert sorted(said(file)) == [
        (1, 6, "a bare * starts a YAML alias; write '*' in quotes"),
        (1, 10, "a bare * starts a YAML alias; write '*x' in quotes"),
        (2, 5, "a bare * starts a YAML alias; write '*.weight' in quotes"),
    ]
    assert file.value_marks[("a", 2)] == (1, 14)
    assert file.value_marks[("b", 2)] == (2, 20)


def test_a_list_right_below_its_key_is_named_and_reading_goes_on(read):
    file = read("    a: # as in the README\n    [1,\n    2]\n    b: 3\n")
    assert file.data == {"a": [1, 2], "b": 3}
    assert said(file) == [(2, 5, "what follows a key must be indented deeper than it; put spaces before the '['")]
    assert file.value_marks[("a", 0)] == (2, 6)


def test_a_duplicate_key_is_named_and_the_first_value_stays(read):
    file = read("a: 1\nb: 2\na: 3\n")
    assert file.data == {"a": 1, "b": 2}
    assert said(file) == [(3, 1, "duplicate key 'a'; it stands in line 1 already")]


def test_anchors_and_merge_keys_work(read):
    file = read("base: &base {x: 1, y: 2}\nother: {y: 5, <<: *base}\ntwice: {<<: [{x: 7}, *base]}\n")
    assert file.problems == ()
    assert file.data["other"] == {"x": 1, "y": 5}
    assert file.data["twice"] == {"x": 7, "y": 2}
    assert file.value_marks[("other", "y")] == (2, 12)
    # Where the merged key is really written.
    assert file.key_marks[("other", "x")] == (1, 14)


def test_a_duplicate_beside_a_merge_is_named(read):
    file = read("base: &base {a: 1}\nother: {a: 2, <<: *base, a: 3}\n")
    assert file.data["other"] == {"a": 2}
    assert said(file) == [(2, 26, "duplicate key 'a'; it stands in line 2 already")]


def test_a_merge_of_no_mapping_is_named(read):
    assert said(read("a: {<<: 5}\n")) == [(1, 9, "'<<' takes a mapping, or a list of mappings")]


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {<<: *a}\n"])
def test_an_alias_of_itself_is_named(read, text):
    assert [message for _, _, message in said(read(text))] == ["the YAML aliases of this file expand without end"]


@pytest.mark.parametrize("link", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merges"])
def test_an_alias_bomb_is_refused_quickly(read, link):
    levels = [f"a0: &a0 {link.format('')}"]
    for level in range(1, 12):
        levels.append(f"a{level}: &a{level} {link.format(', '.join([f'*a{level - 1}'] * 10))}")
    with pytest.raises(ScenarioError, match="expand without end") as caught:
        read("\n".join(levels))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: !!python/object/apply:os.system [ls]\n", (1, 4), "tag '!!python/object/apply:os.system' is not accepted"),
        ("a: !mine 5\n", (1, 4), "tag '!mine' is not accepted"),
        ("a: !!binary aGk=\n", (1, 4), "tag '!!binary' is not accepted"),
        ("a: !!int five\n", (1, 4), "'five' is not an integer"),
        ("a: !!bool maybe\n", (1, 4), "'maybe' is not True or False"),
        ("5: a\n", (1, 1), "a key must be a name, got '5'"),
        ("? [a]\n: b\n", (1, 3), "a key must be a name, got a list or a mapping"),
        (f"a: {'9' * 30}\n", (1, 4), "this integer is too large"),
        (f"a: 0x{'f' * 5000}\n", (1, 4), "this integer is too large"),
        ('a: "\\ud800"\n', (1, 4), "is not a plain value"),
    ],
)
def test_what_is_no_plain_value_is_named(read, text, place, message):
    ((line, column, found),) = said(read(text))
    assert (line, column) == place
    assert message in found


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", (0, 1), "the file is empty"),
        ("# nothing\n", (0, 1), "the file is empty"),
        ("- a\n", (1, 1), "a scenario is a mapping of settings"),
        ("a: [1, 2\nb: 3\n", (2, 2), "not YAML: in the list that starts in line 1: expected ',' or ']', got ':'"),
        ("a: {b: 1\n", (2, 1), "not YAML: in the mapping that starts in line 1: expected ',' or '}'"),
        ("a: 'b\n", (2, 1), "in the quoted text that starts in line 1: its closing quote is missing"),
        ("a:\n\tb: 1\n", (2, 1), "a tab cannot indent YAML; use spaces"),
        ("a: b: c\n", (1, 5), "a ':' cannot stand here"),
        ("  a: 1\n b: 2\n", (2, 2), "this line is indented less than the first key"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a scenario is one document"),
        ("a: \x07\n", (1, 4), "the character U+0007 is not accepted in YAML"),
        ("a: @b\n", (1, 4), "found character '@' that cannot start any token"),
        ('a: "\\UFFFFFFFF"\n', (1, 1), "names a character that does not exist"),
        ("a: " + "[" * 5000, (1, 1), "nested too deeply"),
        (b"a: 1\nb: caf\xe9\n", (2, 7), "byte 0xe9 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(read, text, place, message):
    with pytest.raises(ScenarioError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert (problem.line, problem.column) == place


def test_a_byte_order_mark_is_no_part_of_the_text(read):
    file = read(b"\xef\xbb\xbfmodel: NeuMF\n")
    assert file.data == {"model": "NeuMF"}
    assert file.key_marks[("model",)] == (1, 1)


def test_windows_line_ends_keep_positions(read):
    file = read("a: 1\r\nb: 2\r\n")
    assert file.data == {"a": 1, "b": 2}
    assert file.value_marks[("b",)] == (2, 4)


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        source.read(tmp_path)


@pytest.mark.parametrize("text", ["[", '"\\UFFFFFFFF"', "!!python/name:os.system", "[" * 5000])
def test_a_value_of_the_command_line_that_is_no_yaml_says_so(text):
    with pytest.raises(yaml.YAMLError):
        source.parse_value(text)
