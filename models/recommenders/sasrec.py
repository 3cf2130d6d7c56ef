"""SASRec (Kang and McAuley, ICDM 2018, arXiv 1808.09781) that learns from every position of a history at once."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender.sasrec import SASRec as RecBoleSASRec

from models.sequential.bert_encoder import encode
from models.sequential.paper_encoder import PaperEncoder
from models.sequential.softmax import full_softmax, sampled_softmax
from models.training.dropout import replace_dropout

# Above so many items the softmax is taken over a sample of them.
_MOST_ITEMS_IN_FULL = 20_000

DEFAULTS = {
    "architecture": "recbole",  # (str) Whose blocks: RecBole's or the paper's. Range in ['recbole', 'paper'].
    "softmax": "auto",  # (str) All items, a sample, or by their number (20,000). Range in ['auto', 'full', 'sampled'].
    "num_negatives": 1024,  # (int) How many items a sampled softmax draws for a batch.
}


class SASRec(RecBoleSASRec):
    """RecBole's SASRec, its parameters and settings, with a loss over all positions of a window.

    On rows with one target (`train_rows: prefix`) it is RecBole's own. On windows the history's position i is to
    predict what position i+1 holds, and the last one the row's target.
    """

    trains_on_windows = True

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.windows = config["train_rows"] in ("windows", "last_window")
        self.num_negatives = config["num_negatives"]
        self.in_full = config["softmax"] == "full" or (
            config["softmax"] == "auto" and self.n_items <= _MOST_ITEMS_IN_FULL
        )
        most = self.n_items - 1
        if self.windows and not self.in_full and self.num_negatives not in range(1, most + 1):
            raise ValueError(
                f"num_negatives is {self.num_negatives}; accepted: a whole number from 1 to {most}, the items"
            )
        self.paper = config["architecture"] == "paper"
        if self.paper:
            self.trm_encoder = PaperEncoder(
                self.n_layers, self.n_heads, self.hidden_size, self.hidden_dropout_prob, self.attn_dropout_prob
            )
            del self.LayerNorm
        if self.windows:
            replace_dropout(self)

    def encode(self, item_seq: torch.Tensor) -> torch.Tensor:
        """The state after each item of histories [batch, length] -> [batch, length, dim]; padding is on the right."""
        length = item_seq.shape[1]
        items = self.item_embedding(item_seq)
        positions = self.position_embedding.weight[:length]
        known = item_seq != 0
        if self.paper:
            scaled = self.dropout(items * self.hidden_size**0.5 + positions)
            return self.trm_encoder(scaled, known)
        before = torch.ones(length, length, dtype=torch.bool, device=item_seq.device).tril()
        visible = before & known[:, None, None, :]
        blocks: Any = self.trm_encoder.layer
        return encode(blocks, self.dropout(self.LayerNorm(items + positions)), visible)

    def forward(self, item_seq: torch.Tensor, item_seq_len: torch.Tensor) -> torch.Tensor:
        """The state [batch, dim] after the last item of histories [batch, length]."""
        if not self.paper and not self.windows:
            return super().forward(item_seq, item_seq_len)
        return self.gather_indexes(self.encode(item_seq), item_seq_len - 1)

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """Mean cross-entropy of all targets in the batch, each against all items or a sample of them."""
        if not self.windows:
            return super().calculate_loss(interaction)
        lengths = interaction[self.ITEM_SEQ_LEN]
        longest = int(lengths.max())
        item_seq = interaction[self.ITEM_SEQ][:, :longest]
        states = self.encode(item_seq)
        targets = torch.cat([item_seq[:, 1:], torch.zeros_like(item_seq[:, :1])], dim=1)
        targets = targets.scatter(1, lengths.unsqueeze(1) - 1, interaction[self.POS_ITEM_ID].unsqueeze(1))
        # The last position is followed by padding in all rows but those whose target it is.
        wanted = (targets != 0).flatten().nonzero().squeeze(1)
        hidden, targets = states.flatten(0, 1).index_select(0, wanted), targets.flatten().index_select(0, wanted)
        items = self.item_embedding.weight
        if self.in_full:
            return full_softmax(hidden, items, targets)
        negatives = torch.randint(1, self.n_items, (self.num_negatives,), device=items.device)
        return sampled_softmax(hidden, items, targets, negatives)
