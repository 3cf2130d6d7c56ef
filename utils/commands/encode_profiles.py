"""`encode_profiles`: texts about users and items as vectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd
from pydantic import Field, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.data.facts import TITLE_COLUMNS, FactsError, Fields, item_rows, latest_first
from utils.data.profile_texts import ItemFacts, item_texts, user_texts
from utils.registry import did_you_mean
from utils.scenario.errors import StepError
from utils.scenario.vector_names import ProfileFileName, VectorFileName

if TYPE_CHECKING:
    from models.llm.encoder_spec import EncoderSpec
    from utils.data.sides import Side
    from utils.knowledge.descriptions import Described


@command("encode_profiles")
class EncodeProfiles(Command):
    """Encode a text about each user and item as a vector.

    The texts are those of a profile file, or without one our own: an item's title, year and class, and the titles
    that a user liked in the train part. Files keep their tokens; texts that were encoded already are not encoded
    again.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    users_file: VectorFileName | None = Field(None, description="Vector file to write for users.")
    items_file: VectorFileName | None = Field(None, description="Vector file to write for items.")
    users_profiles: ProfileFileName | None = Field(
        None, description="Profile file of users, as write_profiles leaves it, or a JSON list of id and description."
    )
    items_profiles: ProfileFileName | None = Field(None, description="Profile file of items, in the same form.")
    encoder: str = Field(
        "all-MiniLM-L6-v2",
        description="A packaged encoder, a folder with a sentence-transformers or transformers model, or a hub's name.",
    )
    pooling: Literal["mean", "cls", "max", "last"] | None = Field(
        None, description="How a text's token vectors become one; the encoder's own way when absent."
    )
    normalize: bool | None = Field(
        None, description="Whether vectors are divided by their length; as the encoder does when absent."
    )
    max_length: PositiveInt | None = Field(
        None, description="Tokens of a text that are read; the encoder's own limit when absent."
    )
    batch_size: PositiveInt = Field(64, description="How many texts are encoded at once.")
    liked_rating: float = Field(4, description="A rating from which on an item counts as liked.")
    most_items: PositiveInt = Field(20, description="How many titles, the latest first, a user's text lists.")
    overwrite: bool = Field(False, description="Replace files that hold vectors of other texts.")

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.users_file is None and self.items_file is None:
            yield Complaint((), "there is nothing to write; give users_file or items_file")
        if self.users_file is not None and self.users_file == self.items_file:
            yield Complaint(("items_file",), "is the users' file as well; name another one")
        for side, name in (("users", self.users_profiles), ("items", self.items_profiles)):
            if name is not None and getattr(self, f"{side}_file") is None:
                yield Complaint((f"{side}_profiles",), f"nothing reads it without {side}_file")
            elif name is not None:
                yield from _bad_profiles(view, f"{side}_profiles", name)
        for parameter in ("liked_rating", "most_items"):
            if parameter in self.model_fields_set and (self.users_file is None or self.users_profiles is not None):
                needs = "users_file" if self.users_file is None else "our own texts, which users_profiles replaces"
                yield Complaint((parameter,), f"nothing reads it without {needs}")

    def vector_files_written(self) -> Iterable[str]:
        return [name for name in (self.users_file, self.items_file) if name]

    def run(self, ctx: RunContext) -> StepResult:
        from models.llm.encoder_spec import EncoderError, EncoderSpec, locate

        try:
            spec = EncoderSpec(locate(self.encoder), self.pooling, self.normalize, self.max_length)
        except EncoderError as error:
            raise StepError(error.parameter, str(error)) from error
        told: dict[str, Any] = {}
        sides: tuple[tuple[Side, str | None], ...] = (("items", self.items_file), ("users", self.users_file))
        for side, name in sides:
            if name is not None:
                told[side] = self._write(ctx, side, name, spec)
        return StepResult(facts=told, summary="; ".join(part["summary"] for part in told.values()))

    def _write(self, ctx: RunContext, side: Side, name: str, spec: EncoderSpec) -> dict[str, Any]:
        from utils.knowledge.encoding import encode_into
        from utils.recbole_port import session

        parameter = f"{side}_file"
        field = ctx.recbole_config()["USER_ID_FIELD" if side == "users" else "ITEM_ID_FIELD"]
        tokens = session.id_map(ctx.data, field).real_tokens
        said = self._described(ctx, side, tokens)
        if not said.texts:
            raise StepError(parameter, f"none of the {len(tokens):,} {side} has any text")
        meta = {**said.meta, "encoder": self.encoder, "side": side, "dataset": ctx.settings["dataset"]}
        made = encode_into(
            ctx, ctx.vector_path(name), said.texts, spec, self.batch_size, meta, parameter, self.overwrite
        )
        coverage = f"{name}: {len(said.texts):,} of {len(tokens):,} {side} have a text"
        how = f", {made.dimension} wide" if made.encoded else " (encoded before)"
        if 0 < made.encoded < len(set(said.texts.values())):
            how += f", {made.encoded:,} of them encoded anew"
        return {
            "texts": len(said.texts),
            side: len(tokens),
            "content": made.content,
            "encoded": bool(made.encoded),
            "texts_encoded": made.encoded,
            "dimension": made.dimension,
            "summary": f"{coverage}{how}{said.left_out}",
        }

    def _described(self, ctx: RunContext, side: Side, tokens: tuple[str, ...]) -> Described:
        from utils.knowledge.descriptions import Described, descriptions

        parameter = f"{side}_profiles"
        profiles = getattr(self, parameter)
        if profiles is not None:
            return descriptions(ctx, profiles, parameter, side, tokens)
        facts = self._item_facts(ctx)
        if side == "users":
            texts = user_texts(self._liked(ctx), facts, self.most_items)
            return Described(texts, {"train_fingerprint": ctx.train_fingerprint}, "")
        return Described(item_texts({token: facts[token] for token in tokens if token in facts}), {}, "")

    def _item_facts(self, ctx: RunContext) -> dict[str, ItemFacts]:
        from utils.data.atomic import read_atomic

        config = ctx.recbole_config()
        path = ctx.dataset_file("item")
        if not path.is_file():
            raise StepError(None, f"item texts need the file {path}, which is not there")
        rows = read_atomic(path, config["field_separator"], config["encoding"] or "utf-8")
        if not set(TITLE_COLUMNS) & set(rows.columns):
            raise StepError(
                None, f"{path} has no title ({', '.join(TITLE_COLUMNS)}); columns: {', '.join(rows.columns)}"
            )
        try:
            items = item_rows(rows, Fields.of(config))
        except FactsError as error:
            raise StepError(None, f"{path}: {error}") from error
        return {
            token: ItemFacts(row.title, getattr(row, "year", ""), getattr(row, "genres", ()))
            for token, row in items.items()
        }

    def _liked(self, ctx: RunContext) -> dict[str, list[str]]:
        from utils.recbole_port.train_part import train_interactions

        config = ctx.recbole_config()
        fields = Fields.of(config)
        rows = train_interactions(config, ctx.data)
        if fields.rating in rows:
            rows = rows[pd.to_numeric(rows[fields.rating], errors="coerce") >= self.liked_rating]
        ordered = latest_first(rows, fields)
        return {str(user): items.tolist() for user, items in ordered.groupby(fields.user, sort=False)[fields.item]}


def _bad_profiles(view: PlanView, parameter: str, name: str) -> Iterable[Complaint]:
    """One complaint where a profile file is neither there and readable nor written by an earlier step."""
    from utils.data.profiles import ProfileError, read_profiles

    path = view.vectors_dir / name
    if path in view.vector_files:
        return
    if not path.is_file():
        near = did_you_mean(name, [file.name for file in view.vectors_dir.glob("*.json*")])
        yield Complaint((parameter,), f"no file {path}, and no earlier step writes it{near}")
        return
    try:
        read_profiles(path)
    except ProfileError as error:
        yield Complaint((parameter,), str(error))
