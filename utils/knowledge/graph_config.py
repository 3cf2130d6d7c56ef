"""How a graph language model is built: all that a checkpoint has to say besides its tensors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from utils.knowledge.graph_checkpoint import CheckpointError

if TYPE_CHECKING:
    from utils.commands.graph_llm_train import GraphLlmTrain

FactsAs = Literal["tokens", "text", "none"]
ReadAt = Literal["last", "options"]


@dataclass(frozen=True)
class GraphConfig:
    """The parts of the model, by the names of the command's parameters; plain values.

    lora: None with a frozen model. gnn, projector_hidden, graph_tokens, token_length: None where no graph is read as
    tokens.
    read_at: where an option's logit is read, at the last position or at the option's own end.
    prompt: the template itself, so that a question is asked as it was trained on.
    llm_fingerprint: of the language model's weights; in_dim: the width of nodes' vectors.
    """

    llm: str
    llm_mode: str
    lora: dict[str, Any] | None
    facts_as: FactsAs
    gnn: dict[str, Any] | None
    projector_hidden: int | None
    graph_tokens: Literal["per_subgraph", "mean"] | None
    token_length: Literal["embeddings", "free"] | None
    read_at: ReadAt
    prompt: str
    llm_fingerprint: str
    in_dim: int

    @classmethod
    def of(cls, asked: GraphLlmTrain, prompt: str, llm_fingerprint: str, in_dim: int) -> GraphConfig:
        """As the command asks for it."""
        reads = asked.facts_as == "tokens"
        return cls(
            asked.llm,
            asked.llm_mode,
            asked.lora.model_dump(exclude={"learning_rate"}) if asked.llm_mode == "lora" else None,
            asked.facts_as,
            asked.gnn.model_dump() if reads else None,
            asked.projector_hidden if reads else None,
            asked.graph_tokens if reads else None,
            asked.token_length if reads else None,
            asked.read_at,
            prompt,
            llm_fingerprint,
            in_dim,
        )

    @classmethod
    def read(cls, path: Path, values: dict[str, Any]) -> GraphConfig:
        """Of a checkpoint; CheckpointError for one that says too little or too much."""
        names = [field.name for field in fields(cls)]
        wrong = [name for name in {*names, *values} if (name in values) != (name in names)]
        if wrong:
            raise CheckpointError(f"{path} was written by another version of RecBridge: '{sorted(wrong)[0]}'")
        return cls(**values)

    def plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)
