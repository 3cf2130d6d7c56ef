"""Texts as a vector file: encoded once, and of a file that is replaced only what is new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.context import RunContext
from utils.data.profile_texts import content_hash, text_hashes
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    import torch

    from models.llm.encoder_spec import EncoderSpec
    from utils.data.embeddings import VectorFile


@dataclass(frozen=True)
class Encoded:
    """What became of a file: its vectors [n, dim] in the order of the texts, and how many of these had to be encoded.

    kept: whether the file was left as it was.
    """

    content: str
    vectors: torch.Tensor
    encoded: int
    kept: bool

    @property
    def dimension(self) -> int:
        """How wide the vectors are."""
        return self.vectors.shape[1]


def encode_into(
    ctx: RunContext,
    path: Path,
    texts: Mapping[str, str],
    spec: EncoderSpec,
    batch_size: int,
    meta: Mapping[str, Any],
    parameter: str,
    overwrite: bool,
    decides: Sequence[str] = ("train_fingerprint", "origin"),
    other: Callable[[Mapping[str, Any]], str] = lambda meta: "vectors of other texts",
    encoder_parameter: str = "encoder",
) -> Encoded:
    """Make sure that `path` holds the vector of each text under its token.

    A file that holds just these is kept. One that holds anything else is replaced only with `overwrite`; the vectors
    of texts that it has are taken over. meta: what is true of the texts. parameter: names the file, for errors.
    decides: what of meta makes a file another one. other: from the meta of such a file to what it holds, in words.
    encoder_parameter: names the encoder, for errors.
    """
    from utils.data.embeddings import VectorFile, write_vectors

    hashes = text_hashes(spec.fingerprint(), texts.values())
    content = content_hash(texts, hashes)
    before = _existing(path, parameter, overwrite)
    if before is not None:
        said = ("content", *decides)
        if [before.meta.get(name) for name in said] == [{**meta, "content": content}.get(name) for name in said]:
            place = {token: row for row, token in enumerate(before.tokens or ())}
            return Encoded(content, before.vectors[[place[token] for token in texts]], 0, True)
        if not overwrite:
            raise StepError(parameter, f"{path} holds {other(before.meta)}; set overwrite: True, or name another file")
    known = _by_text(before)
    new = {key: text for key, text in zip(hashes, texts.values(), strict=True) if key not in known}
    if new:
        encoded = encode_texts(ctx, list(new.values()), spec, batch_size, meta["side"], encoder_parameter)
        known |= dict(zip(new, encoded, strict=True))
    vectors = _stacked([known[key] for key in hashes])
    write_vectors(path, VectorFile(vectors, tuple(texts), {**meta, "content": content, "texts": hashes}))
    return Encoded(content, vectors, len(new), False)


def encode_texts(
    ctx: RunContext, texts: list[str], spec: EncoderSpec, batch_size: int, noun: str, encoder_parameter: str = "encoder"
) -> torch.Tensor:
    """Texts -> [n, dim] float32 on the CPU, encoded on the run's device with a bar of `noun`.

    StepError at the parameter that the encoder objects to; encoder_parameter: the name that the encoder has there.
    """
    from models.llm.encoder_spec import EncoderError
    from models.llm.text_encoder import encode

    try:
        with ctx.console.bar(len(texts), f"encoding {noun}") as bar:
            return encode(texts, spec, batch_size, ctx.recbole_config()["device"], bar.update)
    except EncoderError as error:
        parameter = encoder_parameter if error.parameter == "encoder" else error.parameter
        raise StepError(parameter, str(error)) from error


def _existing(path: Path, parameter: str, overwrite: bool) -> VectorFile | None:
    from utils.data.embeddings import VectorFileError, read_vectors

    if not path.exists():
        return None
    try:
        return read_vectors(path)
    except VectorFileError as error:
        if overwrite:
            return None
        raise StepError(parameter, f"{error}; set overwrite: True, or name another file") from error


def _by_text(file: VectorFile | None) -> dict[str, torch.Tensor]:
    """Hash of a text and of what encoded it -> its vector; none of a file that does not say."""
    hashes = file.meta.get("texts") if file else None
    if file is None or not isinstance(hashes, list) or len(hashes) != len(file.vectors):
        return {}
    return dict(zip(hashes, file.vectors, strict=True))


def _stacked(rows: list[torch.Tensor]) -> torch.Tensor:
    import torch

    return torch.stack(rows)
