"""What a scenario may say: commands, losses, recommenders, retrievers and settings, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_DEFAULT_WIDTH = 24


def listing(what: str, model: str | None = None) -> str:
    """One line per command, loss, recommender, retriever or setting; settings of one `model`, or all."""
    lines = {"commands": _commands, "losses": _losses, "recommenders": _recommenders, "retrievers": _retrievers}
    return "\n".join(_settings(model) if what == "settings" else lines[what]())


def _commands() -> Iterator[str]:
    from utils.commands.base import COMMANDS

    for name, cls in COMMANDS.items():
        yield f"{name:<18} {_first_sentence(cls.__doc__)}"


def _losses() -> Iterator[str]:
    from models.losses import LOSSES, loss_names
    from models.losses.legacy import LEGACY_LOSSES

    for name in loss_names():
        if name in LEGACY_LOSSES:
            legacy = LEGACY_LOSSES[name]
            yield f"{name:<22} LLM-KT's name for {legacy.formula} on a layer's {legacy.io}, vectors of {legacy.side}"
        else:
            yield f"{name:<22} {_first_sentence(LOSSES.get(name).formula.__doc__)}"


def _recommenders() -> Iterator[str]:
    from utils.recbole_port import known_models

    for model in known_models.models().values():
        yield f"{model.name:<16} {model.family}"


def _retrievers() -> Iterator[str]:
    from utils.retrieval.base import RETRIEVERS

    for name, cls in RETRIEVERS.items():
        yield f"{name:<12} {_first_sentence(cls.__doc__)}"


def _settings(model: str | None) -> Iterator[str]:
    from utils.recbole_port import known_defaults, known_settings
    from utils.scenario.settings_schema import CommonSettings

    described, defaults = known_defaults.descriptions(), known_defaults.defaults(model)
    if model is not None:
        described = {**known_defaults.descriptions(model), **described}
    ours = {name: field for name, field in CommonSettings.model_fields.items() if field.description}
    of_model = defaults.keys() - known_defaults.defaults(None).keys()
    names = ({*known_defaults.defaults(None), *CommonSettings.model_fields} | of_model) - set(known_settings.REFUSED)
    for name in sorted(names, key=str.casefold):
        field = ours.get(name)
        # Ours come first: data_path and checkpoint_dir have other defaults here than in RecBole.
        default = defaults.get(name) if field is None or field.is_required() else field.get_default()
        text = (field.description if field else described.get(name)) or (
            f"a setting of {model}" if name in of_model else ""
        )
        yield f"{name:<30} {_short(default):<{_DEFAULT_WIDTH}} {text}".rstrip()


def _short(value: Any) -> str:
    text = "" if value is None else repr(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return text if len(text) <= _DEFAULT_WIDTH else f"{text[: _DEFAULT_WIDTH - 3]}..."


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())
