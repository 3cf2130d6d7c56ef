"""`encode_profiles`: texts about users and items as vectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pandas as pd
from pydantic import Field, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.data.profile_texts import ItemFacts, Liked, item_texts, texts_hash, user_texts
from utils.scenario.errors import StepError
from utils.scenario.vector_names import VectorFileName

# Column names that datasets use for the same thing, the first that is there counts.
TITLE_COLUMNS = ("movie_title", "title", "name")
YEAR_COLUMNS = ("release_year", "year")
CLASS_COLUMNS = ("class", "genre", "genres", "categories", "category")


@command("encode_profiles")
class EncodeProfiles(Command):
    """Describe items (title, year, class) and users (titles they liked) and encode both as vectors.

    A user's text is written from the train part only. Files keep their tokens; texts that were encoded
    already are not encoded again.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    users_file: VectorFileName | None = Field(None, description="Vector file to write for users.")
    items_file: VectorFileName | None = Field(None, description="Vector file to write for items.")
    encoder: str = Field("all-MiniLM-L6-v2", description="A packaged encoder, or a folder with one.")
    batch_size: PositiveInt = 32
    liked_rating: float = Field(4, description="A rating from which on an item counts as liked.")
    most_items: PositiveInt = Field(20, description="How many titles, the latest first, a user's text lists.")
    overwrite: bool = Field(False, description="Replace files that hold vectors of other texts.")

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.users_file is None and self.items_file is None:
            yield Complaint((), "there is nothing to write; give users_file or items_file")
        if self.users_file is not None and self.users_file == self.items_file:
            yield Complaint(("items_file",), "is the users' file as well; name another one")

    def vector_files_written(self) -> Iterable[str]:
        return [name for name in (self.users_file, self.items_file) if name]

    def run(self, ctx: RunContext) -> StepResult:
        from utils.recbole_port import session

        config, data = ctx.recbole_config(), ctx.data
        facts = self._item_facts(ctx)
        told: dict[str, Any] = {}
        if self.items_file:
            tokens = session.id_map(data, config["ITEM_ID_FIELD"]).real_tokens
            texts = item_texts({token: facts[token] for token in tokens if token in facts})
            told["items"] = self._write(ctx, self.items_file, texts, "items", len(tokens), {})
        if self.users_file:
            tokens = session.id_map(data, config["USER_ID_FIELD"]).real_tokens
            texts = user_texts(self._liked(ctx), facts, self.most_items)
            meta = {"train_fingerprint": ctx.train_fingerprint}
            told["users"] = self._write(ctx, self.users_file, texts, "users", len(tokens), meta)
        return StepResult(facts=told, summary="; ".join(part["summary"] for part in told.values()))

    def _item_facts(self, ctx: RunContext) -> dict[str, ItemFacts]:
        from utils.data.atomic import read_atomic

        config = ctx.recbole_config()
        path = ctx.dataset_file("item")
        if not path.is_file():
            raise StepError(None, f"item texts need the file {path}, which is not there")
        rows = read_atomic(path, config["field_separator"], config["encoding"] or "utf-8")
        title = _first(rows, TITLE_COLUMNS)
        if title is None:
            raise StepError(
                None, f"{path} has no title ({', '.join(TITLE_COLUMNS)}); columns: {', '.join(rows.columns)}"
            )
        if config["ITEM_ID_FIELD"] not in rows:
            raise StepError(
                None, f"{path} has no column '{config['ITEM_ID_FIELD']}'; columns: {', '.join(rows.columns)}"
            )
        columns = [
            rows[config["ITEM_ID_FIELD"]],
            rows[title],
            _column(rows, YEAR_COLUMNS),
            _column(rows, CLASS_COLUMNS),
        ]
        return {token: ItemFacts(name, year, genres) for token, name, year, genres in zip(*columns, strict=True)}

    def _liked(self, ctx: RunContext) -> dict[str, list[Liked]]:
        from utils.recbole_port.train_part import train_interactions

        config = ctx.recbole_config()
        rows = train_interactions(config, ctx.data)
        if config["RATING_FIELD"] in rows:
            rows = rows[pd.to_numeric(rows[config["RATING_FIELD"]], errors="coerce") >= self.liked_rating]
        times = rows[config["TIME_FIELD"]].astype(float) if config["TIME_FIELD"] in rows else [0.0] * len(rows)
        liked: dict[str, list[Liked]] = {}
        for user, item, when in zip(rows[config["USER_ID_FIELD"]], rows[config["ITEM_ID_FIELD"]], times, strict=True):
            liked.setdefault(user, []).append(Liked(item, when))
        return liked

    def _write(
        self, ctx: RunContext, name: str, texts: dict[str, str], noun: str, total: int, meta: dict[str, Any]
    ) -> dict[str, Any]:
        from models.llm.text_encoder import EncoderError, encode
        from utils.data.embeddings import VectorFile, VectorFileError, read_vectors, write_vectors

        parameter = f"{noun}_file"
        if not texts:
            raise StepError(parameter, f"none of the {total:,} {noun} has any text")
        path, content = ctx.vector_path(name), texts_hash(self.encoder, texts)
        coverage = f"{name}: {len(texts):,} of {total:,} {noun} have a text"
        facts = {"texts": len(texts), noun: total, "content": content}
        if path.exists():
            try:
                existing = read_vectors(path)
            except VectorFileError as error:
                raise StepError(parameter, str(error)) from error
            if existing.meta.get("content") == content and existing.meta.get("train_fingerprint") == meta.get(
                "train_fingerprint"
            ):
                return {**facts, "encoded": False, "summary": f"{coverage} (encoded before)"}
            if not self.overwrite:
                raise StepError(
                    parameter,
                    f"{path} holds vectors of other texts; set overwrite: True, or name another file",
                )
        try:
            with ctx.console.bar(len(texts), f"encoding {noun}") as bar:
                vectors = encode(
                    list(texts.values()),
                    self.encoder,
                    self.batch_size,
                    ctx.recbole_config()["device"],
                    bar.update,
                )
        except EncoderError as error:
            raise StepError("encoder", str(error)) from error
        meta = {**meta, "content": content, "encoder": self.encoder, "side": noun, "dataset": ctx.settings["dataset"]}
        write_vectors(path, VectorFile(vectors, tuple(texts), meta))
        return {
            **facts,
            "encoded": True,
            "dimension": vectors.shape[1],
            "summary": f"{coverage}, {vectors.shape[1]} wide",
        }


def _first(rows: pd.DataFrame, names: Iterable[str]) -> str | None:
    return next((name for name in names if name in rows), None)


def _column(rows: pd.DataFrame, names: Iterable[str]) -> Iterable[str]:
    name = _first(rows, names)
    return [""] * len(rows) if name is None else rows[name]
