"""Profile files: which line of an id counts, what a kill may leave, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from utils.data.profiles import Profile, ProfileError, appending, read_history, read_profiles

TOY_STORY = Profile("1", "Describe Toy Story.", "Toys come to life – à Paris.", "template", "aaaa", None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.jsonl"


def _write(path: Path, *rows: dict[str, Any] | str) -> None:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")


def _row(description: str, prompt_sha: str = "aaaa", token: Any = "1") -> dict[str, Any]:
    return {"id": token, "description": description, "prompt_sha": prompt_sha}


def _refusal(path: Path) -> str:
    with pytest.raises(ProfileError) as caught:
        read_profiles(path)
    return str(caught.value).replace(str(path), "FILE")


def test_what_is_appended_is_read(path: Path) -> None:
    with appending(path) as log:
        log.append(TOY_STORY)
        # It is on the disk before the file is closed.
        assert read_profiles(path) == {"1": TOY_STORY}


def test_the_line_of_a_newer_prompt_counts(path: Path) -> None:
    _write(path, _row("old", "aaaa"), _row("another", token="2"), _row("new", "bbbb"))
    assert {token: profile.description for token, profile in read_profiles(path).items()} == {
        "1": "new",
        "2": "another",
    }
    assert [profile.description for _, profile in read_history(path)] == ["old", "another", "new"]


def test_an_older_prompt_may_come_back(path: Path) -> None:
    _write(path, _row("old", "aaaa"), _row("new", "bbbb"), _row("old", "aaaa"))
    assert read_profiles(path)["1"].description == "old"


def test_two_answers_to_one_prompt_contradict_each_other(path: Path) -> None:
    _write(path, _row("one"), _row("another"))
    assert _refusal(path) == "FILE, line 2: the id '1' stands in line 1 already; remove one"


def test_a_file_of_others_has_an_id_once(path: Path) -> None:
    _write(path, {"id": 1, "description": "same"}, {"id": 2, "description": "x"}, {"id": "1", "description": "same"})
    assert _refusal(path) == "FILE, line 3: the id '1' stands in line 1 already; remove one"


def test_llm_kts_list_is_read(path: Path) -> None:
    profiles = [
        {"id": 7, "description": "first", "prompt": "Say it.", "embedding": [0.5]},
        {"id": 3, "description": "second"},
    ]
    path.write_text(json.dumps(profiles, indent=2), "utf-8")
    assert read_profiles(path) == {
        "7": Profile("7", "Say it.", "first", "", "", None),
        "3": Profile("3", "", "second", "", "", None),
    }


@pytest.mark.parametrize("cut", [1, 20, -2])
def test_a_half_last_line_is_ignored_and_cut_off_by_the_next_writer(path: Path, cut: int) -> None:
    with appending(path) as log:
        log.append(TOY_STORY)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    assert read_profiles(path) == {"1": TOY_STORY}
    with appending(path) as log:
        assert path.read_bytes() == whole
        log.append(TOY_STORY)
    assert path.read_bytes() == whole * 2


def test_a_whole_last_line_without_its_end_is_kept(path: Path) -> None:
    path.write_text(json.dumps(_row("kept")))
    with appending(path) as log:
        log.append(Profile("2", "", "next", "", "aaaa", None))
    assert [profile.description for profile in read_profiles(path).values()] == ["kept", "next"]


def test_a_file_to_which_nothing_was_added_does_not_come_to_be(path: Path) -> None:
    with appending(path):
        pass
    assert not path.exists()


def test_no_line_is_added_to_a_list(path: Path) -> None:
    path.write_text("[]")
    with pytest.raises(ProfileError, match="is one list, to which no line can be added"), appending(path):
        pass
    assert path.read_text() == "[]"


def test_only_one_writes_at_a_time(path: Path) -> None:
    from filelock import FileLock, Timeout

    with appending(path), pytest.raises(Timeout):
        FileLock(f"{path}.lock").acquire(timeout=0)
    with appending(path, waiting=lambda: pytest.fail("nobody holds the file")):
        pass


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no JSON", "line 2: this is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ('{"id": "2", "text": "x"}', "line 2: there is no 'description'; keys: id, text"),
        ('{"description": "x"}', "line 2: there is no 'id'; keys: description"),
        ('{"id": null, "description": "x"}', "line 2: the id is null, not a text or a whole number"),
        ('{"id": true, "description": "x"}', "line 2: the id is true, not a text or a whole number"),
        ('{"id": "2", "description": ["x"]}', "line 2: the description of '2' is not a text"),
        ('{"id": "2", "description": "x", "prompt_sha": 5}', "line 2: 'prompt_sha' is 5, not a text"),
        ("3", "line 2: 3 is no object with 'id' and 'description'"),
    ],
)
def test_what_is_no_profile_is_named_with_its_line(path: Path, line: str, said: str) -> None:
    _write(path, _row("fine"), line, _row("fine", token="9"))
    assert _refusal(path) == f"FILE, {said}"


def test_an_entry_of_a_list_is_named_by_its_number(path: Path) -> None:
    path.write_text('[{"id": 1, "description": "x"}, {"id": 2}]')
    assert _refusal(path) == "FILE, entry 2: there is no 'description'; keys: id"


def test_a_list_that_is_cut_short_is_refused(path: Path) -> None:
    path.write_text('[{"id": 1,\n "description": "x"},')
    assert _refusal(path).startswith("FILE, line 2: this is not JSON (")


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    assert _refusal(path) == "FILE cannot be read: No such file or directory"


def test_a_second_line_that_is_not_ours_is_a_duplicate_and_no_replacement(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    ours = {"id": "1", "description": "ours", "prompt_sha": "aaaa"}
    path.write_text(f"{json.dumps(ours)}\n" + '{"id": "1", "description": "something else entirely"}\n')
    with pytest.raises(ProfileError, match=r"line 2: the id '1' stands in line 1 already; remove one"):
        read_profiles(path)
