"""Which profiles are still to be written, and the loop that writes them down one by one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.llm.writers.base import Answer, Failure, Writer
from utils.data.profiles import Profile, ProfileError, appending, latest, read_history


@dataclass(frozen=True)
class Ask:
    """One prompt about one user or item; train_fingerprint where it tells of interactions."""

    id: str
    prompt: str
    prompt_sha: str
    train_fingerprint: str | None


@dataclass(frozen=True)
class Todo:
    """What a file still lacks.

    kept: how many profiles are there already. again: those that are there and have to count once more.
    others: how many ids have a profile of another prompt, model or train part, which would be replaced.
    """

    asks: tuple[Ask, ...]
    kept: int
    again: tuple[Profile, ...]
    others: int


@dataclass
class Outcome:
    """What has become of a file: rows written and kept, failures by reason, tokens as the writer counted them."""

    written: int = 0
    kept: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def note(self, answer: Answer | Failure) -> None:
        """Count one answer."""
        if isinstance(answer, Failure):
            self.failures[answer.reason] += 1
            return
        self.written += 1
        self.cut += answer.cut
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens


def prompt_sha(model: str, prompt: str, generation: Mapping[str, Any]) -> str:
    """A short hash of what a description is made from: model, prompt, and how tokens are drawn.

    A model on this machine writes the same description again, rounding aside; one behind an endpoint draws as it
    likes, so that its hash says what was asked and not what is answered.
    """
    asked = json.dumps([model, prompt, dict(sorted(generation.items()))])
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def todo(path: Path, asks: Sequence[Ask]) -> Todo:
    """Compare a file with what is asked; ProfileError where it cannot be read."""
    history = read_history(path) if path.exists() else []
    present = latest(path, history)
    earlier = {(profile.id, profile.prompt_sha): profile for _, profile in history}
    kept, others, again, open_asks = 0, 0, [], []
    for ask in asks:
        now = present.get(ask.id)
        if now and (now.prompt_sha, now.train_fingerprint) == (ask.prompt_sha, ask.train_fingerprint):
            kept += 1
            continue
        others += now is not None
        if before := earlier.get((ask.id, ask.prompt_sha)):
            # The very prompt was answered before; only the split that it was told under, or its place, is another.
            again.append(replace(before, train_fingerprint=ask.train_fingerprint))
        else:
            open_asks.append(ask)
    return Todo(tuple(open_asks), kept, tuple(again), others)


def write_down(
    path: Path,
    asks: Sequence[Ask],
    writer: Callable[[], Writer],
    model: str,
    of: tuple[str, str],
    overwrite: bool,
    bar: Callable[[int], Any],
    waiting: Callable[[], None],
) -> Outcome:
    """Let a writer answer what the file lacks; each answer is in the file before the next is looked at.

    writer: makes the writer, where anything is to be asked. of: the side and the dataset that are
        described. bar: makes a progress bar of so many prompts.
    waiting: is called before this process waits for another one that writes the same file.
    ProfileError where the file cannot be read, or holds other descriptions and `overwrite` is False.
    """
    outcome = Outcome()
    with appending(path, waiting) as log:
        # Read under the lock: another run may have written some of them meanwhile.
        left = todo(path, asks)
        if left.others and not overwrite:
            raise ProfileError(
                f"{path} holds descriptions of {left.others:,} of these {len(asks):,} that come from another prompt, "
                "model or train part; set overwrite: True to let new ones replace them, or name another file"
            )
        for profile in left.again:
            log.append(profile)
        outcome.kept = left.kept + len(left.again)
        if not left.asks:
            return outcome
        with bar(len(left.asks)) as progress, closing(writer().write([ask.prompt for ask in left.asks])) as answers:
            for number, answer in answers:
                outcome.note(answer)
                if isinstance(answer, Answer):
                    ask = left.asks[number]
                    made = (ask.id, ask.prompt, answer.text, model, ask.prompt_sha, ask.train_fingerprint)
                    log.append(Profile(*made, *of))
                progress.update()
    return outcome
