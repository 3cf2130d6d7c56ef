"""The parameters of one transfer loss, as `wrap_model` takes them for the only one or for each of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
)

from utils.context import RunContext
from utils.knowledge.vectors import Missing, load_vectors
from utils.scenario.vector_names import VectorFileName

if TYPE_CHECKING:
    from models.losses.schedule import Schedule
    from models.transfer.teachers import Side, Teacher
    from models.transfer.wrapper import Term

Taps = Annotated[list[int | str], Field(min_length=1)]
Network = Literal["linear", "mlp"]
SIDES: tuple[Side, Side] = ("users", "items")


class Part(BaseModel):
    """A mapping inside a command's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Adapter(Part):
    """Networks between two widths; trained with the model, left out of the saved recommender."""

    student: Network | None = Field(None, description="Brings the tapped layer to the vectors' width.")
    teacher: Network | None = Field(None, description="Brings the vectors to the tapped layer's width.")
    width: PositiveInt | None = Field(None, description="What both are brought to, where both have one.")


class MaskedTables(Part):
    """Embeddings hidden from the model, whose rows a loss reconstructs."""

    users: str | Taps | None = Field(None, description="Tables of users.")
    items: str | Taps | None = Field(None, description="Tables of items.")
    ratio: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="The share of rows that a batch hides.")

    def tables(self) -> dict[Side, list[int | str]]:
        """Layer names by side."""
        given = {side: getattr(self, side) for side in SIDES}
        return {side: [value] if isinstance(value, str) else list(value) for side, value in given.items() if value}


class WeightSchedule(Part):
    """A weight that changes with the epochs of a training, counted from 0."""

    schedule: Literal["constant", "linear", "cosine", "warmup", "stop"]
    value: NonNegativeFloat | None = Field(None, description="The weight: constant, after warmup, or until it stops.")
    start: NonNegativeFloat | None = Field(None, description="In the first epoch: linear, cosine.")
    end: NonNegativeFloat | None = Field(None, description="From epoch `epochs` on: linear, cosine.")
    epochs: PositiveInt | None = Field(None, description="How long it takes.")

    def wrong(self) -> Iterator[tuple[str, str]]:
        """(field, what is wrong) where the fields are not those of the schedule."""
        from models.losses.schedule import READS

        wanted = READS[self.schedule]
        for name in ("value", "start", "end", "epochs"):
            given = getattr(self, name) is not None
            if given and name not in wanted:
                yield name, f"the schedule '{self.schedule}' does not read it; it takes {', '.join(wanted)}"
            elif not given and name in wanted:
                yield "schedule", f"the schedule '{self.schedule}' needs {', '.join(wanted)}"
                return

    def never_counts(self) -> Iterator[tuple[str, str]]:
        """(field, what is wrong) where the weight is 0 from the first epoch to the last."""
        if not any((self.value, self.start, self.end)):
            yield "schedule", "the weight is 0 in every epoch, so the loss would never count; remove the loss instead"

    def schedule_of(self) -> Schedule:
        from models.losses.schedule import Schedule

        fields = {name: getattr(self, name) for name in ("value", "start", "end", "epochs")}
        return Schedule(self.schedule, **{name: value for name, value in fields.items() if value is not None})


class LossParameters(Part):
    """What every loss takes besides its name and its outputs."""

    users_emb_file: VectorFileName | None = Field(
        None, description="Vectors of users; llm_config's default when absent."
    )
    items_emb_file: VectorFileName | None = Field(
        None, description="Vectors of items; llm_config's default when absent."
    )
    particular: bool = Field(False, description="Compare only the first columns of a wider layer.")
    rows: Literal["auto", "batch", "table"] = Field(
        "auto", description="What dim 0 of a tap is, if it fits two things."
    )
    options: dict[str, Any] = Field({}, description="The formula's own numbers, such as temperature.")
    weight: PositiveFloat | WeightSchedule = Field(
        1.0, description="Of this loss within the transfer loss: a number, or one that changes with the epochs."
    )
    adapter: Adapter | None = Field(None, description="Networks between a layer and vectors of another width.")
    mask: MaskedTables | None = Field(None, description="What masked_reconstruction hides from the model.")
    missing: Missing = Field("skip", description="What stands in for rows without a vector.")
    control: Literal["none", "random", "shuffled"] = Field(
        "none", description="random: directions that say nothing, as long as the vectors; shuffled: wrong owners."
    )

    def files(self, loss_name: str, settings: Mapping[str, Any]) -> dict[Side, str]:
        """The vector file of each side that the loss uses."""
        config = settings.get("llm_config") or {}
        users, items = self.users_emb_file, self.items_emb_file
        if users is None and config.get("use_user_emb", True):
            users = config.get("default_users_emb_file")
        if items is None and config.get("use_item_emb", False):
            items = config.get("default_items_emb_file")
        side = _side_of(loss_name)
        chosen: dict[Side, str] = {}
        if users and side != "items":
            chosen["users"] = users
        if items and side != "users":
            chosen["items"] = items
        return chosen


class TapsBySide(Part):
    """Taps of which it is said whose rows they have."""

    users: Taps | None = Field(None, description="Compared with vectors of users.")
    items: Taps | None = Field(None, description="Compared with vectors of items.")

    def given(self) -> dict[str, list[int | str]]:
        return {side: taps for side in SIDES if (taps := getattr(self, side))}


class NamedLoss(LossParameters):
    """One of several losses, with taps of its own."""

    loss: str = Field(description="A loss of ours, or one of LLM-KT's names.")
    outputs: Taps | TapsBySide = Field(
        description="The layers or methods that are compared, as set_outputs takes them."
    )

    def taps(self) -> dict[str, list[int | str]]:
        """Taps by whose they are: users, items, or `layers` where it is not said."""
        return {"layers": self.outputs} if isinstance(self.outputs, list) else self.outputs.given()


def _side_of(loss_name: str) -> str | None:
    """The one side that a loss of LLM-KT's compares; None for a loss that takes either."""
    from models.losses.legacy import LEGACY_LOSSES

    legacy = LEGACY_LOSSES.get(loss_name)
    return legacy.side if legacy else None


# Vectors and their coverage, by how they were asked for.
Loaded = dict[tuple[str, ...], tuple["Teacher", str]]


def term_of(ctx: RunContext, name: str, given: LossParameters, at: str, loaded: Loaded) -> tuple[Term, dict[Side, str]]:
    """(the loss at work, what to say of each side's coverage).

    at: a dotted path before its parameters, for errors. loaded: what earlier losses have taken, to which it adds.
    """
    from models.losses import find_loss
    from models.transfer.adapters import AdapterSpec
    from models.transfer.masking import Mask
    from models.transfer.wrapper import Term

    teachers: list[Teacher] = []
    coverage: dict[Side, str] = {}
    for side, file in given.files(name, ctx.settings).items():
        asked = (side, file, given.missing, given.control)
        if asked not in loaded:
            loaded[asked] = load_vectors(ctx, side, file, f"{at}{side}_emb_file", given.missing, given.control)
        teacher, coverage[side] = loaded[asked]
        teachers.append(teacher)
    weight = given.weight
    term = Term(
        loss=find_loss(name, ctx.settings["model"]),
        teachers=teachers,
        weight=weight.schedule_of() if isinstance(weight, WeightSchedule) else weight,
        particular=given.particular,
        rows=given.rows,
        options=given.options,
        adapter=None if given.adapter is None else AdapterSpec(**given.adapter.model_dump()),
        mask=None if given.mask is None else Mask(given.mask.tables(), given.mask.ratio),
    )
    return term, coverage
