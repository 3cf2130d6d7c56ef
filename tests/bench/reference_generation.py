"""Scores of options by generating an answer, as K-RagRec's released code does; what our scoring is measured by.

Written for the benchmark from what that code does (Wang et al., ACL 2025, arXiv 2501.02226). It departs from it where
its scores would differ for no reason of speed: option tokens are those of the tokenizer, each subgraph is a token of
its own (the paper's; the released code feeds their mean), and edges stand in both directions. The released code also
makes a table of all edges anew for every subgraph, which `tests.bench.retrieval` counts; here it is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch_geometric.data import Batch

from models.graph.subgraphs import Subgraphs
from models.llm.causal_lm import CausalLM, quiet_transformers
from models.llm.graph_llm import Frame
from models.llm.soft_tokens import GraphReader


@dataclass(frozen=True)
class Generated:
    """probabilities [B, options]: of each option's token as the first that is written. steps: of writing."""

    probabilities: torch.Tensor
    steps: int


@dataclass(frozen=True)
class Reference:
    """Reads questions with their own stars, writes up to `new_tokens` and looks at the first.

    lm: as it was loaded, its parameters those of the model that is compared. frame, reader: of that model.
    in_full: whether it writes on where the model would end.
    """

    lm: CausalLM
    frame: Frame
    reader: GraphReader
    subgraphs: Subgraphs
    new_tokens: int
    in_full: bool

    @torch.no_grad()
    def __call__(self, bodies: Sequence[Sequence[int]], centres: torch.Tensor) -> Generated:
        """bodies: token ids of B questions. centres [B, slots, N]: of each one's stars, -1 where there is none."""
        embed = self.lm.model.get_input_embeddings()
        rows = []
        for body, own in zip(bodies, centres, strict=True):
            head, text = (
                embed(torch.tensor(ids, device=own.device)) for ids in (self.frame.head, [*body, *self.frame.tail])
            )
            rows.append(torch.cat([head, self._graph(own[own >= 0].tolist()).to(head.dtype), text]))
        longest = max(map(len, rows))
        padding = embed(torch.tensor(self.lm.tokenizer.pad_token_id, device=centres.device))
        lengths = torch.tensor([[len(row)] for row in rows], device=centres.device)
        with quiet_transformers():
            out = self.lm.model.generate(
                inputs_embeds=torch.stack([torch.cat([padding.expand(longest - len(row), -1), row]) for row in rows]),
                attention_mask=(torch.arange(longest, device=centres.device) >= longest - lengths).long(),
                max_new_tokens=self.new_tokens,
                min_new_tokens=self.new_tokens if self.in_full else None,
                pad_token_id=self.lm.tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_scores=True,
                use_cache=True,
            )
        of_all = torch.softmax(out.scores[0], dim=-1)
        return Generated(torch.softmax(of_all[:, list(self.frame.options)], dim=-1), len(out.scores))

    def _graph(self, centres: Sequence[int]) -> torch.Tensor:
        """The tokens [g, hidden] of one question's stars."""
        if not centres:
            return self.reader.projector(self.subgraphs.node_vectors.new_empty(0, self.reader.encoder.hidden_dim))
        stars = Batch.from_data_list([self.subgraphs.star(centre) for centre in centres])
        tokens: torch.Tensor = self.reader.projector(self.reader.encoder(stars))
        return tokens
