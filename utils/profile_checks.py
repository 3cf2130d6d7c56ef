"""What can be said against a `write_profiles` step before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from utils.commands.base import Complaint, PlanView
from utils.data.facts import FactsError, refuse_shipped_link
from utils.data.prompts import FROM_INTERACTIONS, PromptError
from utils.paths import dataset_dir
from utils.recbole_port import known_models
from utils.recbole_port.known_models import SHIPPED

if TYPE_CHECKING:
    from utils.commands.write_profiles import WriteProfiles

# Which writers read a parameter; the others are read by all.
_READ_BY = {
    **dict.fromkeys(("model", "max_tokens", "temperature", "failures"), ("local", "openai")),
    "batch_size": ("local",),
    **dict.fromkeys(("base_url", "api_key_env", "concurrency", "timeout_s", "max_retries"), ("openai",)),
}
_NEEDS_FILE = {
    **dict.fromkeys(("users_prompt", "liked_rating", "most_items"), "users_file"),
    "items_prompt": "items_file",
}
_KNOWN = {"users": FROM_INTERACTIONS | {"user"}, "items": frozenset({"item", "n_ratings", "mean_rating"})}


def find_wrong(step: WriteProfiles, view: PlanView) -> Iterator[Complaint]:
    """Parameters that nobody reads, templates, files, the model, the endpoint: all that is wrong with them."""
    yield from _unread(step)
    yield from _templates(step)
    yield from _dataset(step, view)
    if step.writer == "local":
        yield from _local(step)
    if step.writer == "openai":
        yield from _openai(step)


def _unread(step: WriteProfiles) -> Iterator[Complaint]:
    for name in sorted(step.model_fields_set):
        readers, file = _READ_BY.get(name, (step.writer,)), _NEEDS_FILE.get(name)
        if step.writer not in readers:
            message = f"the writer '{step.writer}' does not read it; {' and '.join(map(repr, readers))} would"
            yield Complaint((name,), message)
        elif file and getattr(step, file) is None:
            yield Complaint((name,), f"nothing reads it without {file}")


def _templates(step: WriteProfiles) -> Iterator[Complaint]:
    readers_of_facts = 0
    for side in step.files:
        parameter = f"{side}_prompt"
        try:
            template = step.template(side)
        except PromptError as error:
            # Whether it reads facts, nobody knows.
            readers_of_facts += 1
            yield Complaint((parameter,), str(error))
            continue
        readers_of_facts += template.reads_facts
        # Ours ask whether there are any.
        if getattr(step, parameter) is None:
            continue
        if template.reads_facts and not step.knowledge_graph:
            yield Complaint((parameter,), f"{template.path} reads 'facts'; set knowledge_graph: True")
            continue
        with_facts = step.knowledge_graph and side == "items"
        if unknown := template.unknown_names(_KNOWN[side] | ({"facts"} if with_facts else set())):
            yield Complaint((parameter,), "; ".join(unknown))
    if step.knowledge_graph and step.files and not readers_of_facts:
        yield Complaint(("knowledge_graph",), "no template reads 'facts'; give one that does, or leave this out")


def _dataset(step: WriteProfiles, view: PlanView) -> Iterator[Complaint]:
    folder, name = dataset_dir(view.settings), view.settings["dataset"]
    if not folder.is_dir():
        if name != SHIPPED:
            return
        # It is put in its place at the first use.
        folder = known_models.shipped_dataset(SHIPPED)
    if step.items_file and not (path := folder / f"{name}.item").is_file():
        yield Complaint(("items_file",), f"item profiles need the file {path}, which is not there")
    if not step.knowledge_graph:
        return
    for suffix in ("kg", "link"):
        if not (path := folder / f"{name}.{suffix}").is_file():
            yield Complaint(("knowledge_graph",), f"needs the file {path}, which is not there")
            return
    try:
        refuse_shipped_link(folder / f"{name}.link")
    except FactsError as error:
        yield Complaint(("knowledge_graph",), str(error))


def _local(step: WriteProfiles) -> Iterator[Complaint]:
    from models.llm.causal_lm import why_missing

    if wrong := why_missing(step.model_name):
        yield Complaint(("model",), wrong)


def _openai(step: WriteProfiles) -> Iterator[Complaint]:
    if not step.model:
        yield Complaint(("model",), "the writer 'openai' needs the name that the endpoint gives the model")
    if step.base_url is not None:
        parts = urlsplit(step.base_url)
        if parts.username or parts.password:
            yield Complaint(("base_url",), "holds a name or a password; the key belongs in an environment variable")
        elif parts.scheme not in ("http", "https") or not parts.hostname:
            yield Complaint(("base_url",), f"got '{step.base_url}'; accepted: an address as http://localhost:8000/v1")
    if not step.api_key_env.isidentifier():
        yield Complaint(("api_key_env",), "is the name of an environment variable that holds the key, not the key")
    elif not step.dry_run and not os.environ.get(step.api_key_env, "").strip():
        yield Complaint(("api_key_env",), f"the environment variable {step.api_key_env} is not set")
