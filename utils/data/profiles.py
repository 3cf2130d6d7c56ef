"""Profile files: a description of each user or item by a language model, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout


class ProfileError(ValueError):
    """A profile file that cannot be read; the message names file and line."""


@dataclass(frozen=True)
class Profile:
    """What was written about one user or item, and how.

    prompt_sha: of the model, the prompt and how it was asked; empty in a file that RecBridge has not written.
    train_fingerprint: of the train part that the prompt tells of; None where it tells of none, or nobody knows.
    side, dataset: whose it is; None where the file does not say.
    """

    id: str
    prompt: str
    description: str
    model: str
    prompt_sha: str
    train_fingerprint: str | None
    side: str | None = None
    dataset: str | None = None


class ProfileLog:
    """A profile file that is open for appending."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def append(self, profile: Profile) -> None:
        """Add one line; it outlives this process from here on."""
        self._file.write(json.dumps(asdict(profile), ensure_ascii=False).encode("utf-8") + b"\n")
        self._file.flush()


def read_profiles(path: Path) -> dict[str, Profile]:
    """Id -> its profile, in the order of their first lines; of several lines of an id the last counts.

    Reads JSON lines, and LLM-KT's one list of {id, description, ...}. A last half line, left by a kill, is ignored.
    ProfileError where the file is not there, where an entry is no object with an id and a description, or where it is
    unclear which description of an id counts.
    """
    return latest(path, read_history(path))


def read_history(path: Path) -> list[tuple[str, Profile]]:
    """Every profile of a file as (where it stands, profile), those that a later one has replaced as well."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror or error}") from error
    entries = _list_entries(path, content) if content.lstrip()[:1] == b"[" else _line_entries(path, content)
    return [(where, _profile(f"{path}, {where}", entry)) for where, entry in entries]


def latest(path: Path, history: Iterable[tuple[str, Profile]]) -> dict[str, Profile]:
    """The profile of each id that counts; ProfileError where two lines contradict each other.

    A line of another prompt replaces what stands before it. Lines of one prompt say the same; and an id with a line
    without `prompt_sha`, which we have not written, has only that one.
    """
    found: dict[str, Profile] = {}
    said: dict[tuple[str, str], tuple[str, str]] = {}
    first: dict[str, tuple[str, Profile]] = {}
    for where, profile in history:
        first_where, description = said.setdefault((profile.id, profile.prompt_sha), (where, profile.description))
        before_where, before = first.setdefault(profile.id, (where, profile))
        foreign = where != before_where and not (profile.prompt_sha and before.prompt_sha)
        if foreign or (where != first_where and description != profile.description):
            at = before_where if foreign else first_where
            raise ProfileError(f"{path}, {where}: the id '{profile.id}' stands in {at} already; remove one")
        found[profile.id] = profile
    return found


@contextmanager
def appending(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[ProfileLog]:
    """Hold a file of JSON lines for appending, for as long as the block takes; a half last line is cut off.

    A file to which nothing was added, and which was not there, is not there afterwards. ProfileError for a list.
    waiting: is called once where another process holds the file, before this one waits for its turn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        with path.open("a+b") as file:
            _end_line(path, file)
            yield ProfileLog(file)
    finally:
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        lock.release()


def _end_line(path: Path, file: BinaryIO) -> None:
    """Let the file end with a whole line: one that is only not ended is ended, a half one is cut off."""
    file.seek(0)
    content = file.read()
    if content.lstrip()[:1] == b"[":
        raise ProfileError(f"{path} is one list, to which no line can be added; name another file")
    tail = content.rpartition(b"\n")[2]
    if not tail:
        return
    if _is_whole(tail):
        file.write(b"\n")
    else:
        file.truncate(len(content) - len(tail))


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _line_entries(path: Path, content: bytes) -> Iterator[tuple[str, Any]]:
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise ProfileError(f"{path}, line {number}: this is not JSON ({error})") from error


def _list_entries(path: Path, content: bytes) -> list[tuple[str, Any]]:
    try:
        entries = json.loads(content)
    except json.JSONDecodeError as error:
        raise ProfileError(f"{path}, line {error.lineno}: this is not JSON ({error.msg})") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: this is not JSON ({error})") from error
    return [(f"entry {number}", entry) for number, entry in enumerate(entries, start=1)]


def _profile(where: str, entry: Any) -> Profile:
    if not isinstance(entry, dict):
        raise ProfileError(f"{where}: {json.dumps(entry):.60} is no object with 'id' and 'description'")
    for key in ("id", "description"):
        if key not in entry:
            raise ProfileError(f"{where}: there is no '{key}'; keys: {', '.join(entry) or 'none'}")
    token = entry["id"]
    if type(token) not in (str, int) or token == "":
        raise ProfileError(f"{where}: the id is {json.dumps(token):.60}, not a text or a whole number")
    if not isinstance(entry["description"], str):
        raise ProfileError(f"{where}: the description of '{token}' is not a text")
    named = ("prompt", "model", "prompt_sha", "train_fingerprint", "side", "dataset")
    texts = {key: _text(where, entry, key) for key in named}
    return Profile(
        str(token),
        texts["prompt"] or "",
        entry["description"],
        texts["model"] or "",
        texts["prompt_sha"] or "",
        texts["train_fingerprint"],
        texts["side"],
        texts["dataset"],
    )


def _text(where: str, entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise ProfileError(f"{where}: '{key}' is {json.dumps(value):.60}, not a text")
    return value
