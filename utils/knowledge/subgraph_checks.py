"""What can be said against the parameters of `retrieve_subgraph` before anything runs, one kind of fault a function."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from utils.commands.base import Complaint, PlanView
from utils.data.kg.files import KgError
from utils.data.kg.film_facts import FILM_FACTS
from utils.knowledge.graphs import GraphFiles, find_file
from utils.knowledge.samples import why_not_in_time
from utils.recbole_port import known_models
from utils.registry import BrokenModule, UnknownName, did_you_mean
from utils.retrieval.base import DEPENDING, RETRIEVERS
from utils.scenario.mismatch import refusal
from utils.scenario.settings import effective

# Parameters of the command itself that only some retrievers read.
SHARED = ("index_orders", "top_k", "search")


def fields_of(cls: type[Any]) -> tuple[str, ...]:
    """The names of a retriever's options, those that the command gives as parameters of its own included."""
    return tuple(field.name for field in fields(cls))


def bad_files(view: PlanView, files: GraphFiles) -> Iterator[Complaint]:
    """Files that are not there, and those that nobody would read."""
    named = {name: getattr(files, name) for name in ("kg_file", "link_file", "link_ids_from", "entity_names")}
    for parameter, name in named.items():
        if name is None or (parameter == "kg_file" and name == FILM_FACTS):
            continue
        try:
            find_file(view.settings, name)
        except KgError as error:
            hint = did_you_mean(name, [FILM_FACTS]) if parameter == "kg_file" else ""
            yield Complaint((parameter,), f"{error}{hint}")
    if files.link_ids_from is not None and files.link_file is None:
        yield Complaint(("link_ids_from",), "nothing reads it without link_file")


def bad_orders(
    orders: Sequence[int], propagation: str, items_file: str | None, given: Collection[str]
) -> Iterator[Complaint]:
    """Orders that say the same twice, or that something needs and that are not there."""
    if len(set(orders)) < len(orders):
        yield Complaint(("index_orders",), f"got {list(orders)}; each order counts once")
    if 2 in orders and propagation == "none":
        yield Complaint(
            ("propagation",),
            "without it order 2 is order 1; set index_orders: [1] with it, or propagation: mean or ppr",
        )
    if 2 not in orders and "propagation" in given and propagation != "none":
        yield Complaint(("propagation",), f"nothing reads it with index_orders: {list(orders)}")
    if 2 not in orders and items_file is not None:
        yield Complaint(("items_emb_file",), "an item's vector is that of order 2; put 2 into index_orders")


def bad_retriever(name: str, options: Mapping[str, Any], given: Collection[str], search: str) -> Iterator[Complaint]:
    """A retriever that is not there, options that it does not have, and packages that it needs."""
    try:
        cls = RETRIEVERS.get(name)
    except (UnknownName, BrokenModule) as error:
        lost = isinstance(error, UnknownName) and not did_you_mean(name, RETRIEVERS.names())
        accepted = f"; accepted: {', '.join(RETRIEVERS.names())}" if lost else ""
        yield Complaint(("retriever",), f"{error}{accepted}")
        return
    own = fields_of(cls)
    for parameter in DEPENDING:
        if parameter in given and parameter not in cls.reads:
            yield Complaint((parameter,), f"the retriever '{name}' does not read it; remove it")
    kinds = get_type_hints(cls, include_extras=True)
    known = [option for option in own if option not in SHARED]
    for option, value in options.items():
        if option not in known:
            if option in own:
                hint = f"; give {option} as a parameter of the command"
            else:
                hint = did_you_mean(option, known) or (f"; it takes {', '.join(known) or 'none'}")
            yield Complaint(("retriever_options", option), f"{name} has no option '{option}'{hint}")
            continue
        kind = TypeAdapter(kinds[option], config=ConfigDict(strict=True, allow_inf_nan=False))
        try:
            kind.validate_python(value)
        except ValidationError:
            yield Complaint(("retriever_options", option), refusal(value, [kind.json_schema()]))
    if search == "faiss" and importlib.util.find_spec("faiss") is None:
        yield Complaint(("search",), "it needs the package faiss-cpu; run: pip install faiss-cpu")
    if name == "pcst":
        from utils.retrieval.steiner import solver

        try:
            solver()
        except ImportError as error:
            yield Complaint(("retriever",), str(error))


def bad_texts(named_text: str, missing_text: str, given: Collection[str]) -> Iterator[Complaint]:
    """describe_max_titles where nothing is described."""
    if "describe_max_titles" in given and "describe" not in (named_text, missing_text):
        yield Complaint(("describe_max_titles",), "nothing reads it unless named_text or missing_text is describe")


def bad_windows(view: PlanView, train_windows: int) -> Iterator[Complaint]:
    """Samples of a split that does not hold back the last two items of each user."""
    # A split that is wrong by itself is told once, and how an unknown model splits by itself nobody can tell.
    for setting in ("model", "eval_args", "benchmark_filename"):
        view.settings.get(setting)
    if view.settings.get("model") not in known_models.models():
        return
    if train_windows and (why := why_not_in_time(effective(dict(view.settings)))) is not None:
        yield Complaint(("train_windows",), f"got {train_windows}, but {why}")


def bad_outputs(names: Mapping[str, str | None]) -> Iterator[Complaint]:
    """Two outputs under one name. names: by parameter."""
    first: dict[str, str] = {}
    for parameter, name in names.items():
        if name is None:
            continue
        if name in first:
            yield Complaint((parameter,), f"'{name}' is {first[name]} as well; name another one")
        first.setdefault(name, parameter)
