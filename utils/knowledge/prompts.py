"""The prompts of a run: the dataset's files and its train part, told by two templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from utils.context import RunContext
from utils.data.facts import (
    FactsError,
    Fields,
    GraphFields,
    Row,
    item_facts,
    item_rows,
    refuse_shipped_link,
    user_facts,
    user_rows,
    with_graph,
)
from utils.data.prompts import PromptError, PromptTemplate
from utils.data.sides import Side
from utils.scenario.errors import StepError


@dataclass(frozen=True)
class Prompts:
    """Token -> prompt of those that there is anything to say about; `total` counts the others as well."""

    texts: dict[str, str]
    total: int


def prompts(
    ctx: RunContext, templates: Mapping[Side, PromptTemplate], liked_rating: float, most_items: int, graph: bool
) -> dict[Side, Prompts]:
    """Side -> the prompts of this run's users or items; one that renders to nothing is none.

    Interactions are those of the train part. StepError where files lack what is needed, or a template asks for what
    is not there.
    """
    from utils.recbole_port import session
    from utils.recbole_port.train_part import train_interactions

    # Loading puts the files of a dataset that comes with RecBole in their place.
    config, data = ctx.recbole_config(), ctx.data
    fields = Fields.of(config)
    try:
        items = _items(ctx, fields, graph)
        train = train_interactions(config, data)
        told: dict[Side, Prompts] = {}
        for side, template in templates.items():
            if side == "users":
                users = user_rows(frame, fields) if (frame := _file(ctx, "user")) is not None else {}
                facts = user_facts(train, users, items, fields, liked_rating, most_items)
            else:
                if not items:
                    raise FactsError(f"item profiles need the file {ctx.dataset_file('item')}, which is not there")
                facts = item_facts(train, items, fields)
            tokens = session.id_map(data, fields.user if side == "users" else fields.item).real_tokens
            texts = _rendered(side, template, {token: facts[token] for token in tokens if token in facts})
            told[side] = Prompts(texts, len(tokens))
    except FactsError as error:
        raise StepError(None, str(error)) from error
    return told


def _rendered(side: Side, template: PromptTemplate, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    texts = {}
    for token, known in facts.items():
        try:
            texts[token] = template.render(known)
        except PromptError as error:
            raise StepError(f"{side}_prompt", f"{error}; said of the {side[:-1]} '{token}'") from error
    return {token: text for token, text in texts.items() if text}


def _items(ctx: RunContext, fields: Fields, graph: bool) -> dict[str, Row]:
    frame = _file(ctx, "item")
    if frame is None:
        return {}
    rows = item_rows(frame, fields)
    if not graph:
        return rows
    refuse_shipped_link(_needed(ctx, "link"))
    link, triples = (_file(ctx, suffix) for suffix in ("link", "kg") if _needed(ctx, suffix))
    config = ctx.recbole_config()
    own = {
        "entity": "ENTITY_ID_FIELD",
        "head": "HEAD_ENTITY_ID_FIELD",
        "relation": "RELATION_ID_FIELD",
        "tail": "TAIL_ENTITY_ID_FIELD",
    }
    given = {name: config[setting] for name, setting in own.items() if config[setting]}
    return with_graph(rows, link, triples, GraphFields(fields.item, **given))


def _needed(ctx: RunContext, suffix: str) -> Path:
    path = ctx.dataset_file(suffix)
    if not path.is_file():
        raise FactsError(f"knowledge_graph needs the file {path}, which is not there")
    return path


def _file(ctx: RunContext, suffix: str) -> pd.DataFrame | None:
    """An atomic file of the dataset as text, None where it is not there."""
    from utils.data.atomic import read_atomic

    path, config = ctx.dataset_file(suffix), ctx.recbole_config()
    if not path.is_file():
        return None
    return read_atomic(path, config["field_separator"], config["encoding"] or "utf-8")
