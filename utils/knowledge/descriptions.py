"""Descriptions of users or items from a profile file, as texts of this run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from utils.context import RunContext
from utils.scenario.errors import StepError


@dataclass(frozen=True)
class Described:
    """Token -> description, what is true of all of them, and what to say of those that were left out."""

    texts: dict[str, str]
    meta: dict[str, Any]
    left_out: str


def descriptions(ctx: RunContext, name: str, parameter: str, noun: str, tokens: Sequence[str]) -> Described:
    """The descriptions in the file `name` of `tokens`, the dataset's users or items, in their order.

    An empty description counts as none. StepError for a file that cannot be read, one of another dataset, and one
    that was written from another train part than this run's. One that does not say what it was written from leaves
    no mark, or among others the mark that the origin is unknown.
    """
    from utils.data.embeddings import UNKNOWN
    from utils.data.profiles import ProfileError, read_profiles

    path = ctx.vector_path(name)
    try:
        profiles = read_profiles(path)
    except ProfileError as error:
        raise StepError(parameter, str(error)) from error
    if not profiles:
        raise StepError(parameter, f"{path} is empty; write_profiles fills it")
    for said, here in (("side", noun), ("dataset", str(ctx.settings["dataset"]))):
        other = next((value for one in profiles.values() if (value := getattr(one, said)) not in (None, here)), None)
        if other is not None:
            raise StepError(parameter, f"{name} describes {other}, not {here}; name the file of these {noun}")
    used = {token: profiles[token] for token in tokens if token in profiles}
    if not used:
        examples = [", ".join(list(some)[:3]) or "none" for some in (profiles, tokens)]
        raise StepError(
            parameter,
            f"{path}: none of its ids ({examples[0]}, ...) is one of the {len(tokens):,} {noun} ({examples[1]}, ...); "
            "it was written for another dataset, or for the other side",
        )
    origins = {profile.train_fingerprint for profile in used.values()}
    known = origins - {None}
    if known and known != {ctx.train_fingerprint}:
        raise StepError(
            parameter,
            f"{name} was written from another train part than this run's, so it may hold test items; "
            "write it again under this scenario's split and seed",
        )
    meta = {"profiles": name}
    if known:
        meta |= {"train_fingerprint": ctx.train_fingerprint} | ({"origin": UNKNOWN} if None in origins else {})
    strangers = len(profiles) - len(used)
    left_out = (
        f"; {strangers:,} of the {len(profiles):,} ids in {name} are no {noun} of this dataset" if strangers else ""
    )
    texts = {token: profile.description.strip() for token, profile in used.items()}
    empty = sum(not text for text in texts.values())
    left_out += f"; {empty:,} of the descriptions are empty" if empty else ""
    return Described({token: text for token, text in texts.items() if text}, meta, left_out)
