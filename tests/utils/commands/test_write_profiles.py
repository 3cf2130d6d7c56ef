"""`write_profiles` in a scenario: what is written, kept, asked again, refused, and what may not leak."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models.llm.endpoint import KEY, Endpoint, Reply, completion, refusal, serving, well
from tests.workspace import ITEMS, USERS, Run, Workspace
from utils.data.atomic import read_atomic
from utils.data.profiles import Profile, read_history, read_profiles

BOTH = {"users_file": "users.jsonl", "items_file": "items.jsonl"}
AT_ONCE = {"Retry-After": "0.01"}
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as served:
        yield served


def _openai(at: Endpoint, **more: Any) -> dict[str, Any]:
    return {"items_file": "items.jsonl", "writer": "openai", "model": "m", "base_url": at.url, "max_retries": 0, **more}


def _write(tiny: Workspace, name: str = "case", settings: dict[str, Any] | None = None, **params: Any) -> Run:
    return tiny.run([{"write_profiles": params}], name, **(settings or {}))


def _error(run: Run) -> str:
    return (run.record.error or {}).get("message", "")


def _profiles(tiny: Workspace, name: str = "items.jsonl") -> dict[str, Profile]:
    return read_profiles(tiny.vectors / name)


def _template(tiny: Workspace, text: str, name: str = "prompt.j2") -> str:
    (tiny.folder / name).write_text(text, "utf-8")
    return name


def test_the_template_writer_says_what_its_template_says(tiny: Workspace) -> None:
    run = _write(tiny, **BOTH)
    assert run.record.status == "done", run.console.text
    assert "items.jsonl: 40 of 40 items described; users.jsonl: 30 of 30 users described" in run.console.text
    items, users = _profiles(tiny), _profiles(tiny, "users.jsonl")
    assert set(items) == set(ITEMS)
    assert set(users) == set(USERS)
    rows = read_atomic(tiny.folder / "datasets" / "tiny" / "tiny.item").set_index("item_id")
    row = rows.loc["i17"]
    genres = ", ".join(row["class"].split())
    assert items["i17"].description == items["i17"].prompt == f"{row['title']} ({row['release_year']}). {genres}."
    assert users["u3"].description.startswith("This user liked ")


def test_its_texts_are_those_that_encode_profiles_makes_itself(tiny: Workspace) -> None:
    from utils.commands.encode_profiles import EncodeProfiles
    from utils.data.profile_texts import item_texts, user_texts

    _write(tiny, **BOTH)
    ctx, step = tiny.context(), EncodeProfiles()
    facts = step._item_facts(ctx)
    assert {token: one.description for token, one in _profiles(tiny).items()} == item_texts(facts)
    users = user_texts(step._liked(ctx), facts, step.most_items)
    assert {token: one.description for token, one in _profiles(tiny, "users.jsonl").items()} == users


def test_only_texts_about_interactions_are_marked_with_the_train_part(tiny: Workspace) -> None:
    _write(tiny, **BOTH)
    fingerprint = tiny.context().train_fingerprint
    assert {one.train_fingerprint for one in _profiles(tiny, "users.jsonl").values()} == {fingerprint}
    assert {one.train_fingerprint for one in _profiles(tiny).values()} == {None}
    counted = _template(tiny, "{{ item.title }} was rated {{ n_ratings }} times.")
    _write(tiny, "counted", items_file="counted.jsonl", items_prompt=counted)
    assert {one.train_fingerprint for one in _profiles(tiny, "counted.jsonl").values()} == {fingerprint}


def test_nothing_of_the_valid_and_test_part_reaches_a_prompt(tiny: Workspace) -> None:
    """Each user's last item is tested and the one before validates: a title there is planted and must not show."""
    folder = tiny.folder / "datasets" / "tiny"
    rows = [line.split("\t") for line in (folder / "tiny.inter").read_text().splitlines()]
    header, rows = rows[0], rows[1:]
    new = [(f"held{part}-{user}", user, when) for user in USERS for part, when in (("valid", 99_998), ("test", 99_999))]
    rows += [[user, item, "5", str(when)] for item, user, when in new]
    # Someone else rated each of them in the train part, so that the item itself is known.
    rows += [["u1" if user != "u1" else "u2", item, "1", "1"] for item, user, _ in new]
    (folder / "tiny.inter").write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")
    with (folder / "tiny.item").open("a") as file:
        file.writelines(f"{item}\tMARK-{item}-MARK\t1990\tWar\n" for item, *_ in new)
    told = _template(
        tiny,
        "{% for item in history + liked + disliked %}{{ item.title }} {{ item.rating }} {% endfor %}"
        "{{ n_ratings }} {{ mean_rating }}",
    )
    items = _template(tiny, "{{ item.title }}: {{ n_ratings }} ratings, {{ mean_rating }} on average", "items.j2")
    run = _write(tiny, **BOTH, users_prompt=told, items_prompt=items, most_items=1000)
    assert run.record.status == "done", run.console.text
    users = _profiles(tiny, "users.jsonl")
    for item, user, _ in new:
        assert f"MARK-{item}-MARK" not in users[user].prompt
    # Those who did rate them in the train part are told of them: the marks are there to be found.
    assert "MARK-heldtest-u9-MARK 1 " in users["u1"].prompt
    # u9's 5 is in the test part; u1's 1 is all that is known of the item.
    assert _profiles(tiny)["heldtest-u9"].prompt == "MARK-heldtest-u9-MARK: 1 ratings, 1.0 on average"
    assert users["u9"].prompt.split()[-2] == "20"


def test_each_row_says_what_was_asked_and_by_whom(tiny: Workspace, endpoint: Endpoint) -> None:
    run = _write(tiny, **_openai(endpoint))
    assert run.record.status == "done", run.console.text
    profile = _profiles(tiny)["i1"]
    assert profile.prompt in endpoint.prompts
    assert profile.description == f"About: {profile.prompt[-20:]}"
    assert profile.model == "m"
    assert len(profile.prompt_sha) == 16
    # 40 answers, each of 7 + 3 tokens.
    assert "items.jsonl: 40 of 40 items described, 280 + 120 tokens" in run.console.text
    assert run.facts("write_profiles")["items"] == {
        "rows": 40, "written": 40, "kept": 0, "failed": 0, "failures": {}, "cut": 0,
        "prompt_tokens": 280, "completion_tokens": 120,
    }  # fmt: skip


def test_what_is_written_is_never_asked_again(tiny: Workspace, endpoint: Endpoint) -> None:
    _write(tiny, **_openai(endpoint, limit=12))
    assert len(endpoint.prompts) == 12
    run = _write(tiny, **_openai(endpoint))
    assert len(endpoint.prompts) == len(set(endpoint.prompts)) == 40
    assert "items.jsonl: 40 of 40 items described (12 kept)" in run.console.text
    before = (tiny.vectors / "items.jsonl").read_bytes()
    _write(tiny, **_openai(endpoint))
    assert len(endpoint.prompts) == 40
    assert (tiny.vectors / "items.jsonl").read_bytes() == before


def test_a_file_that_was_cut_short_asks_for_the_row_that_is_lost(tiny: Workspace, endpoint: Endpoint) -> None:
    _write(tiny, **_openai(endpoint))
    path = tiny.vectors / "items.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    _write(tiny, **_openai(endpoint))
    assert path.read_bytes() == whole
    assert len(endpoint.prompts) == 40 + 1


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(tiny: Workspace) -> None:
    with serving(lambda prompt, before: Reply(well(prompt, before).body, after_s=0.05)) as slow:
        scenario = tiny.write([{"write_profiles": _openai(slow, concurrency=1)}])
        path = tiny.vectors / "items.jsonl"
        command = [sys.executable, str(ROOT / "run_exps.py"), str(scenario)]
        with subprocess.Popen(command, cwd=tiny.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            deadline = time.monotonic() + 60
            while not (path.exists() and path.read_bytes().count(b"\n") >= 5):
                assert time.monotonic() < deadline, "nothing was written"
                time.sleep(0.01)
            os.kill(run.pid, signal.SIGKILL)
        kept = read_profiles(path)
        assert 5 <= len(kept) < 40
        asked = len(slow.prompts)
        # What was under way when the process died is all that may be asked twice.
        assert len(kept) <= asked <= len(kept) + 2
        slow.behave = well
        _write(tiny, **_openai(slow))
        assert len(slow.prompts) == asked + 40 - len(kept)
    assert set(_profiles(tiny)) == set(ITEMS)


def test_a_new_prompt_needs_leave_and_an_old_one_is_not_asked_again(tiny: Workspace, endpoint: Endpoint) -> None:
    _write(tiny, **_openai(endpoint))
    other = _openai(endpoint, items_prompt=_template(tiny, "Praise {{ item.title }} {{ item.item_id }}."))
    assert _error(_write(tiny, **other)) == (
        "write_profiles.items_file: datasets/llm_embeddings/tiny/items.jsonl holds descriptions of 40 of these 40 that "
        "come from another prompt, model or train part; set overwrite: True to let new ones replace them, or name "
        "another file"
    )
    assert len(endpoint.prompts) == 40
    _write(tiny, **other, overwrite=True)
    assert len(endpoint.prompts) == 80
    assert _profiles(tiny)["i3"].prompt.startswith("Praise ")
    back = _write(tiny, **_openai(endpoint, overwrite=True))
    assert "(40 kept)" in back.console.text
    assert len(endpoint.prompts) == 80
    assert _profiles(tiny)["i3"].prompt.startswith("Title: ")
    assert len(read_history(tiny.vectors / "items.jsonl")) == 120


@pytest.mark.parametrize("change", [{"model": "n"}, {"max_tokens": 5}, {"temperature": 0.5}])
def test_another_model_or_way_of_asking_is_another_prompt(
    tiny: Workspace, endpoint: Endpoint, change: dict[str, Any]
) -> None:
    _write(tiny, **_openai(endpoint, limit=2))
    assert "holds descriptions of 2 of these 2" in _error(_write(tiny, **_openai(endpoint, limit=2, **change)))


def test_another_split_is_another_prompt(tiny: Workspace) -> None:
    random = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}
    _write(tiny, users_file="users.jsonl")
    run = _write(tiny, settings={"eval_args": random}, users_file="users.jsonl")
    assert "holds descriptions of 30 of these 30 that come from another prompt, model or train part" in _error(run)
    run = _write(tiny, settings={"eval_args": random}, users_file="users.jsonl", overwrite=True)
    fingerprint = tiny.context(eval_args=random).train_fingerprint
    assert {one.train_fingerprint for one in _profiles(tiny, "users.jsonl").values()} == {fingerprint}


def test_rows_that_fail_end_the_run_and_are_all_that_is_asked_again(tiny: Workspace) -> None:
    def behave(prompt: str, before: int) -> Reply:
        # Every fourth item in the order of first requests.
        turn = list(dict.fromkeys(served.prompts)).index(prompt)
        return completion("") if turn % 4 == 1 else completion("ok", "length" if turn % 4 == 2 else "stop")

    with serving(behave) as served:
        run = _write(tiny, **_openai(served))
        assert _error(run) == (
            "write_profiles: items.jsonl: 30 of 40 items described, 210 + 90 tokens, 10 cut at max_tokens, 10 failed, "
            "10 of them: the answer is empty; what is written is kept: run it again to ask for the rest"
        )
        served.behave = well
        asked = len(served.prompts)
        assert "40 of 40 items described (30 kept)" in _write(tiny, **_openai(served)).console.text
        assert len(served.prompts) == asked + 10


def test_rows_that_fail_may_be_left_out(tiny: Workspace) -> None:
    with serving(lambda prompt, before: completion("" if "War" in prompt else "ok")) as served:
        run = _write(tiny, **_openai(served, failures="skip"))
    assert run.record.status == "done"
    failed = run.facts("write_profiles")["items"]["failed"]
    assert 0 < failed < 40
    assert f"items.jsonl: {40 - failed} of 40 items described" in run.console.text
    assert f"{failed} failed, {failed} of them: the answer is empty" in run.console.text


def test_a_refused_key_ends_the_run_with_what_to_do(tiny: Workspace) -> None:
    with serving(lambda prompt, before: refusal(401, f"wrong key {KEY}")) as served:
        run = _write(tiny, **_openai(served))
    assert _error(run) == (
        f"write_profiles: {served.url}/ refuses the key (HTTP 401: wrong key ***); set the environment variable that "
        "api_key_env names to a key that it accepts; what is written is kept: run it again to ask for the rest"
    )
    assert len(served.prompts) == 1
    assert not (tiny.vectors / "items.jsonl").exists()


def test_the_key_is_written_nowhere(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY")

    def behave(prompt: str, before: int) -> Reply:
        return refusal(500, f"{KEY} broke", **AT_ONCE) if "War" in prompt else completion("ok")

    with serving(behave) as served:
        run = _write(tiny, settings={"state": "DEBUG"}, **_openai(served, api_key_env="MY_KEY", concurrency=1))
    assert served.keys == {f"Bearer {KEY}"}
    assert "*** broke" in run.console.text
    assert KEY not in run.console.text
    files = [path for path in tiny.folder.rglob("*") if path.is_file()]
    assert {"record.json", "items.jsonl", "resolved.yaml"} <= {path.name for path in files}
    assert [str(path) for path in files if KEY.encode() in path.read_bytes()] == []
    assert "MY_KEY" in (run.dir / "record.json").read_text()


def test_all_prompts_are_written_before_the_first_is_asked(tiny: Workspace, endpoint: Endpoint) -> None:
    template = _template(tiny, "{{ item.title }}\n{% if item.item_id == 'i33' %}\n{{ item.titel }}\n{% endif %}")
    run = _write(tiny, **_openai(endpoint, items_prompt=template))
    assert _error(run) == (
        "write_profiles.items_prompt: prompt.j2:3: an item has no 'titel'; did you mean 'title'? (fields: item_id, "
        "title, release_year, class, year, genres); said of the item 'i33'"
    )
    assert endpoint.prompts == []


def test_who_there_is_nothing_to_say_about_is_not_asked(tiny: Workspace, endpoint: Endpoint) -> None:
    template = _template(tiny, "{% if 'War' in item.genres %}{{ item.title }}{% endif %}")
    run = _write(tiny, **_openai(endpoint, items_prompt=template))
    rows = read_atomic(tiny.folder / "datasets" / "tiny" / "tiny.item")
    at_war = sum("War" in genres.split() for genres in rows["class"])
    assert 0 < at_war < 40
    assert len(endpoint.prompts) == at_war
    assert f"items.jsonl: {at_war} of 40 items described" in run.console.text


def test_the_graphs_facts_reach_the_prompt(tiny: Workspace) -> None:
    template = _template(tiny, "{% for fact in facts %}{{ fact.relation }}={{ fact.tail }};{% endfor %}")
    run = _write(tiny, items_file="items.jsonl", items_prompt=template, knowledge_graph=True)
    assert run.record.status == "done", run.console.text
    triples = read_atomic(tiny.folder / "datasets" / "tiny" / "tiny.kg")
    # In the tiny dataset item i5 is entity e5.
    own = triples[triples["head_id"] == "e5"]
    expected = "".join(f"{relation}={tail};" for _, relation, tail in own.itertuples(index=False))
    assert _profiles(tiny)["i5"].prompt == expected != ""


def test_a_dry_run_shows_prompts_and_asks_and_writes_nothing(tiny: Workspace, endpoint: Endpoint) -> None:
    template = _template(tiny, "x" * 100 + " {{ item.item_id }}")
    run = _write(tiny, **_openai(endpoint, items_prompt=template, dry_run=True, max_tokens=50, limit=8))
    assert run.record.status == "done", run.console.text
    prompts = run.console.text.count("x" * 100)
    assert prompts == 2
    # 8 prompts of 103 characters (i1 ... i9) or 104: 824 to 832 characters are 206 to 208 tokens of four.
    tokens = run.facts("write_profiles")["items"]["prompt_tokens"]
    assert 206 <= tokens <= 208
    assert (
        f"items.jsonl: 8 of 40 items would be asked, {tokens} prompt tokens (4 characters each, roughly) "
        "and at most 400 more; nothing was written"
    ) in run.console.text
    assert endpoint.prompts == []
    assert not tiny.vectors.exists()


def test_a_file_that_is_no_profile_file_is_refused(tiny: Workspace) -> None:
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "items.jsonl").write_text('{"id": "i1"}\n')
    run = _write(tiny, items_file="items.jsonl")
    path = "datasets/llm_embeddings/tiny/items.jsonl"
    assert _error(run) == f"write_profiles.items_file: {path}, line 1: there is no 'description'; keys: id"
    (tiny.vectors / "items.jsonl").write_text(json.dumps([{"id": "i1", "description": "x"}]))
    run = _write(tiny, items_file="items.jsonl")
    assert (
        _error(run)
        == f"write_profiles.items_file: {path} is one list, to which no line can be added; name another file"
    )


def test_ctrl_c_keeps_what_is_written_and_waits_for_no_request(tiny: Workspace) -> None:
    from utils.runner import Cancelled

    def behave(prompt: str, before: int) -> Reply:
        if len(served.prompts) < 6:
            return completion("ok")
        if len(served.prompts) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return Reply(completion("late").body, after_s=20)

    # Tests that were started in the background have the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with serving(behave) as served:
            started = time.monotonic()
            with pytest.raises(Cancelled):
                _write(tiny, **_openai(served, concurrency=1, timeout_s=30))
            assert time.monotonic() - started < 10
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(_profiles(tiny)) == 5
