"""What is wrong with a transfer loss and its taps before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import ConfigDict, TypeAdapter, ValidationError

from utils.commands.base import Complaint, ParamPath, PlanView
from utils.commands.loss_spec import SIDES, LossParameters, NamedLoss, WeightSchedule
from utils.registry import BrokenModule, UnknownName, did_you_mean
from utils.scenario.mismatch import refusal

if TYPE_CHECKING:
    from models.losses.base import Loss
    from models.transfer.teachers import Side


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
        yield (
            ("mask",),
            f"{name} reads all rows as they are; remove mask, or take masked_reconstruction, which tells hidden ones",
        )
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
