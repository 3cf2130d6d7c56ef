"""What can be said against the parameters of `write_profiles` before anything runs, one kind of fault a function."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from utils.commands.base import Complaint
from utils.data.facts import FactsError, refuse_shipped_link
from utils.data.prompts import FROM_INTERACTIONS, PromptError, PromptTemplate
from utils.data.sides import Side
from utils.paths import dataset_dir
from utils.recbole_port import known_models
from utils.recbole_port.known_models import SHIPPED

# Which writers read a parameter; the others are read by all.
_READ_BY = {
    **dict.fromkeys(("model", "max_tokens", "temperature", "failures"), ("local", "openai")),
    "batch_size": ("local",),
    **dict.fromkeys(("base_url", "api_key_env", "concurrency", "timeout_s", "max_retries"), ("openai",)),
}
_NEEDS_SIDE: dict[str, Side] = {
    **dict.fromkeys(("users_prompt", "liked_rating", "most_items"), "users"),
    "items_prompt": "items",
}
_KNOWN = {"users": FROM_INTERACTIONS | {"user"}, "items": frozenset({"item", "n_ratings", "mean_rating"})}
# Keys have lower-case letters or signs as well, so that one put here by mistake is seen.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def unread(given: Collection[str], writer: str, sides: Collection[Side]) -> Iterator[Complaint]:
    """Parameters among those `given` that nobody reads: not this writer, or not without the file of their side."""
    for name in sorted(given):
        readers, side = _READ_BY.get(name, (writer,)), _NEEDS_SIDE.get(name)
        if writer not in readers:
            message = f"the writer '{writer}' does not read it; {' and '.join(map(repr, readers))} would"
            yield Complaint((name,), message)
        elif side is not None and side not in sides:
            yield Complaint((name,), f"nothing reads it without {side}_file")


def bad_templates(
    read: Callable[[Side], PromptTemplate], given: Mapping[Side, str | None], knowledge_graph: bool
) -> Iterator[Complaint]:
    """Templates that cannot be read, or that ask for what there will not be.

    given: the template that a person has named for each side that is written, None for ours.
    """
    readers_of_facts = 0
    for side, name in given.items():
        parameter = f"{side}_prompt"
        try:
            template = read(side)
        except PromptError as error:
            # Whether it reads facts, nobody knows.
            readers_of_facts += 1
            yield Complaint((parameter,), str(error))
            continue
        readers_of_facts += template.reads_facts
        # Ours ask whether there are any.
        if name is None:
            continue
        if template.reads_facts and not knowledge_graph:
            yield Complaint((parameter,), f"{template.path} reads 'facts'; set knowledge_graph: True")
            continue
        with_facts = knowledge_graph and side == "items"
        if unknown := template.unknown_names(_KNOWN[side] | ({"facts"} if with_facts else set())):
            yield Complaint((parameter,), "; ".join(unknown))
    if knowledge_graph and given and not readers_of_facts:
        yield Complaint(("knowledge_graph",), "no template reads 'facts'; give one that does, or leave this out")


def missing_files(settings: Mapping[str, Any], items: bool, knowledge_graph: bool) -> Iterator[Complaint]:
    """Files of the dataset that item profiles (`items`) or a `knowledge_graph` need and that are not there."""
    folder, name = dataset_dir(settings), settings["dataset"]
    if not folder.is_dir():
        if name != SHIPPED:
            return
        # It is put in its place at the first use.
        folder = known_models.shipped_dataset(SHIPPED)
    if items and not (path := folder / f"{name}.item").is_file():
        yield Complaint(("items_file",), f"item profiles need the file {path}, which is not there")
    if not knowledge_graph:
        return
    for suffix in ("kg", "link"):
        if not (path := folder / f"{name}.{suffix}").is_file():
            yield Complaint(("knowledge_graph",), f"needs the file {path}, which is not there")
            return
    try:
        refuse_shipped_link(folder / f"{name}.link")
    except FactsError as error:
        yield Complaint(("knowledge_graph",), str(error))


def missing_model(name: str) -> Iterator[Complaint]:
    """A local model that is not there."""
    from models.llm.causal_lm import why_missing

    if wrong := why_missing(name):
        yield Complaint(("model",), wrong)


def bad_endpoint(
    model: str | None, base_url: str | None, api_key_env: str | None, needs_key: bool
) -> Iterator[Complaint]:
    """What an endpoint is asked for, where it is, and the variable with its key; what may be a secret is not repeated.

    needs_key: whether the variable is read by this step.
    """
    if not model:
        yield Complaint(("model",), "the writer 'openai' needs the name that the endpoint gives the model")
    if base_url is not None:
        yield from _bad_address(base_url)
    if api_key_env is None:
        return
    if not _VARIABLE.fullmatch(api_key_env):
        yield Complaint(
            ("api_key_env",),
            "is no name of an environment variable (accepted: capital letters, digits and _, as in OPENAI_API_KEY); "
            "a key itself belongs in the variable, not here",
            secret=True,
        )
    elif needs_key and not os.environ.get(api_key_env, "").strip():
        yield Complaint(
            ("api_key_env",),
            f"the environment variable {api_key_env} is not set; api_key_env: null is for an endpoint without key",
        )


def _bad_address(url: str) -> Iterator[Complaint]:
    # Wherever they stand: an address that is wrong otherwise may hold a secret too.
    if set(url) & set("@?#"):
        yield Complaint(
            ("base_url",),
            "holds a name, a password or a query (@, ? or #); accepted: an address as http://localhost:8000/v1; "
            "a key belongs in the environment variable that api_key_env names",
            secret=True,
        )
        return
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # Half an IPv6 address, or a port that is no number.
        right = False
    if not right:
        yield Complaint(("base_url",), f"got '{url}'; accepted: an address as http://localhost:8000/v1")
