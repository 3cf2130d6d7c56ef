"""The parameters of one transfer loss, as `wrap_model` takes them for the only one or for each of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from utils.commands.base import Complaint, ParamPath, PlanView
from utils.context import RunContext
from utils.knowledge.vectors import Missing, load_vectors
from utils.registry import BrokenModule, UnknownName, did_you_mean
from utils.scenario.mismatch import refusal
from utils.scenario.vector_names import VectorFileName

if TYPE_CHECKING:
    from models.losses.base import Loss
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


def check_taps(taps: Mapping[str, Sequence[int | str]], at: ParamPath = ()) -> Iterator[Complaint]:
    """What is wrong with taps by themselves, whatever the model. taps: by the name under which they stand."""
    from models.transfer.taps import Tap, TapError

    for name, selectors in taps.items():
        for index, selector in enumerate(selectors):
            if isinstance(selector, int) and selector < 1:
                yield Complaint((*at, name, index), f"no layer {selector}: layers start at 1 (the model itself)")
                continue
            try:
                Tap.parse(selector)
            except TapError as error:
                yield Complaint((*at, name, index), str(error))


def check_loss(name: str, given: LossParameters, at: ParamPath, parameter: str, view: PlanView) -> Iterable[Complaint]:
    """What is wrong with one loss before anything runs. at: where its parameters stand; parameter: that of its name."""
    from models.losses import find_loss
    from models.losses.base import Loss

    try:
        found = find_loss(name, str(view.settings.get("model")))
    except BrokenModule as error:
        yield Complaint((*at, parameter), f"looking for '{name}': {error}")
        return
    except UnknownName as error:
        known = " (named in seven of LLM-KT's files, but defined nowhere)" if name == "AutoIntUserCosSim" else ""
        yield Complaint((*at, parameter), f"{error}{known}")
        return
    yield from _check_files(name, given, at, view)
    formula = found if isinstance(found, Loss) else None
    if isinstance(found, type) and given.adapter is not None:
        yield Complaint((*at, "adapter"), f"{name} reads layers and vectors itself; remove the adapter")
    sides = set(given.files(name, view.settings))
    if formula is not None and sides:
        for path, message in _sides(name, given, formula, sides):
            yield Complaint((*at, *path), message)
    for path, message in [*_options(name, given, formula), *_fit(name, given, formula)]:
        yield Complaint((*at, *path), message)
    if isinstance(given.weight, WeightSchedule):
        wrong = list(given.weight.wrong())
        for key, message in wrong or given.weight.never_counts():
            yield Complaint((*at, "weight", key), message)


def _check_files(name: str, given: LossParameters, at: ParamPath, view: PlanView) -> Iterator[Complaint]:
    files = given.files(name, view.settings)
    if not files:
        yield Complaint(at, "there are no vectors to transfer; give users_emb_file or items_emb_file")
    for side in SIDES:
        parameter = f"{side}_emb_file"
        named = getattr(given, parameter)
        if named is not None and side not in files:
            yield Complaint((*at, parameter), f"{name} does not compare {side}; remove it")
        told_by = "" if named is not None else f" (llm_config.default_{parameter} names it)"
        for complaint in view.bad_vectors(parameter, files.get(side), told_by):
            yield Complaint((*at, *complaint.path), complaint.message)


def _options(name: str, given: LossParameters, loss: Loss | None) -> Iterator[tuple[ParamPath, str]]:
    known = loss.options if loss is not None else {}
    for option, value in given.options.items():
        path: ParamPath = ("options", option)
        if option not in known:
            accepted = f"; it takes {', '.join(known)}" if known else "; it takes none"
            yield path, f"{name} has no option '{option}'{did_you_mean(option, known) or accepted}"
            continue
        kind = TypeAdapter(known[option][0], config=ConfigDict(strict=True, allow_inf_nan=False))
        try:
            kind.validate_python(value)
        except ValidationError:
            yield path, refusal(value, [kind.json_schema()])


def _fit(name: str, given: LossParameters, loss: Loss | None) -> Iterator[tuple[ParamPath, str]]:
    """Parameters that this loss cannot use, and those that it lacks."""
    adapter, mask = given.adapter, given.mask
    if adapter is not None and adapter.student is None and adapter.teacher is None:
        yield ("adapter",), "it is on neither side; accepted: student, teacher or both: linear or mlp"
    elif adapter is not None and adapter.width is not None and (adapter.student is None or adapter.teacher is None):
        yield ("adapter", "width"), "it is for adapters on both sides; one alone takes the other side's width"
    if adapter is not None and given.particular:
        yield (
            ("particular",),
            "it compares the first columns of a wider layer, which an adapter makes as wide; keep one",
        )
    if adapter is not None and loss is not None and loss.compares != "rows":
        what = "relations between rows" if loss.compares == "relations" else "scores"
        yield ("adapter",), f"{name} compares {what}, of whatever widths, and needs no adapter; remove it"
    masks = loss is not None and loss.masks
    if mask is not None and not masks:
        yield ("mask",), f"{name} reconstructs nothing, so nothing is to be hidden; remove it, or masked_reconstruction"
    elif masks and (mask is None or not mask.tables()):
        yield (
            ("mask",) if mask is not None else (),
            f"{name} needs to know what is hidden, e.g. mask: {{users: user_embedding, ratio: 0.1}}",
        )


def _sides(name: str, given: LossParameters, loss: Loss, sides: set[Side]) -> Iterator[tuple[ParamPath, str]]:
    """Where users or items are missing, or are too many, by the sides that there are vectors of."""
    if loss.compares == "scores":
        for side in SIDES:
            if side not in sides:
                yield (), f"{name} scores users against items, and there are no vectors of {side}; give {side}_emb_file"
        if isinstance(given, NamedLoss) and (
            isinstance(given.outputs, list) or [len(taps) for taps in given.taps().values()] != [1, 1]
        ):
            yield ("outputs",), f"{name} takes one tap of users and one of items: {{users: [...], items: [...]}}"
    if given.mask is not None and loss.masks:
        hidden = given.mask.tables()
        for side in SIDES:
            if side in hidden and side not in sides:
                yield ("mask", side), f"there are no vectors of {side} to tell; give {side}_emb_file, or remove it"
            elif hidden and side in sides and side not in hidden:
                yield ("mask",), f"{name} is to tell the vectors of {side}, but no table of theirs is hidden; name one"


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


def _side_of(loss_name: str) -> str | None:
    """The one side that a loss of LLM-KT's compares; None for a loss that takes either."""
    from models.losses.legacy import LEGACY_LOSSES

    legacy = LEGACY_LOSSES.get(loss_name)
    return legacy.side if legacy else None
