"""LLM-KT's preprocess sections of `llm_config`, done before the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from utils.context import RunContext
from utils.scenario.errors import StepError


def preprocess_from_json(ctx: RunContext) -> list[str]:
    """Write the vector file of a profile JSON; returns a line that says what was done."""
    from utils.data.embeddings import VectorFileError
    from utils.data.preprocess import write_from_json

    section = ctx.llm_config.get("preprocess_from_json")
    if not section:
        return []
    source = ctx.vector_path(section["from"])
    if not source.is_file():
        # LLM-KT's files name the JSON that their vectors were once made from.
        return [f"no file {source}; {section['to']} is used as it is"]
    try:
        return [write_from_json(ctx.vectors_dir, section["from"], section["to"])]
    except VectorFileError as error:
        raise StepError(None, str(error)) from error


def preprocess_random(ctx: RunContext) -> list[str]:
    """Write random vectors for all users and items, the control of every transfer."""
    from utils.data.embeddings import write_vectors
    from utils.data.preprocess import random_vectors
    from utils.recbole_port import session
    from utils.scenario.settings_schema import PreprocessRandom

    section: Mapping[str, Any] = ctx.llm_config.get("preprocess_random") or {}
    if not section.get("random"):
        return []
    chosen = PreprocessRandom.model_validate(dict(section))
    config, done = ctx.recbole_config(), []
    for side, field, name in (
        ("users", "USER_ID_FIELD", chosen.random_users_emb_file),
        ("items", "ITEM_ID_FIELD", chosen.random_items_emb_file),
    ):
        tokens = session.id_map(ctx.data, config[field]).real_tokens
        write_vectors(ctx.vector_path(name), random_vectors(tokens, chosen.embedding_size, config["seed"], side))
        done.append(f"{name}, {len(tokens):,} random vectors")
    return done


SECTIONS: dict[str, Callable[[RunContext], list[str]]] = {
    "preprocess_from_json": preprocess_from_json,
    "preprocess_random": preprocess_random,
}
