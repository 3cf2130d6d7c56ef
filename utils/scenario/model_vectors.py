"""The vector files that a recommender is built with, as its settings name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from utils.data.sides import Side
from utils.recbole_port import known_models
from utils.scenario.findings import Finding
from utils.scenario.mismatch import refusal
from utils.scenario.vector_names import ProfileFileName, VectorFileName


class Named(NamedTuple):
    """A file under the vectors folder, the setting that names it, and how wide its vectors have to be (None: any)."""

    setting: str
    file: str
    width_setting: str
    width: int | None


# Side -> settings of a vector file, of LLM-KT's profile JSON instead, and of the width.
_SETTINGS: dict[Side, tuple[str, str, str]] = {
    "users": ("users_emb_file", "user_profile_json", "user_kar_emb"),
    "items": ("items_emb_file", "item_profile_json", "item_kar_emb"),
}
_NAMES: dict[str, TypeAdapter[str]] = {"pt": TypeAdapter(VectorFileName), "json": TypeAdapter(ProfileFileName)}


def model_vectors(settings: Mapping[str, Any]) -> dict[Side, Named]:
    """The file of each side that the scenario's model is built with; none for a model that takes no vectors."""
    model = settings.get("model")
    if model not in known_models.models() or not known_models.takes_vectors(str(model)):
        return {}
    return sides_with_vectors(settings)


def sides_with_vectors(settings: Mapping[str, Any]) -> dict[Side, Named]:
    """The sides for which the settings name a file, whatever the model."""
    found: dict[Side, Named] = {}
    for side, (vectors, profiles, width) in _SETTINGS.items():
        setting = vectors if settings.get(vectors) is not None else profiles
        if settings.get(setting) is not None:
            found[side] = Named(setting, settings[setting], width, settings.get(width))
    return found


def find_vector_misfits(model: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with the names of the files, before any of them is looked for."""
    if not sides_with_vectors(given):
        yield Finding(("model",), f"{model} needs vectors; set users_emb_file and/or items_emb_file")
    for vectors, profiles, _ in _SETTINGS.values():
        for setting, kind in ((vectors, "pt"), (profiles, "json")):
            value = given.get(setting)
            if value is not None and not _fits(_NAMES[kind], value):
                yield Finding((setting,), f"{setting}: {refusal(value, [_NAMES[kind].json_schema()])}")
        if given.get(vectors) is not None and given.get(profiles) is not None:
            message = f"{profiles}: {vectors} names vectors of the same side; keep one of them"
            yield Finding((profiles,), message, at_key=True)


def _fits(name: TypeAdapter[str], value: Any) -> bool:
    try:
        name.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
