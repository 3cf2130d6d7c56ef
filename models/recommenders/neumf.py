"""NeuMF (He et al., WWW 2017, arXiv 1708.05031) that ranks all items for many users at once."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.general_recommender.neumf import NeuMF as RecBoleNeuMF
from torch import nn

from models.training.dropout import replace_dropout

# Numbers in the widest layer of one block of pairs: these stay in a core's cache.
_BLOCK_NUMBERS = 2**18


class NeuMF(RecBoleNeuMF):
    """RecBole's NeuMF, its parameters and settings, with a full ranking that does not go pair by pair.

    The first layer of the MLP is linear in (user, item): W [p; q] = W_u p + W_i q. Each part is computed once for
    a user and for an item, and what is left for a pair is their sum and the layers above.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        replace_dropout(self)

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """Scores [users * n_items] of every item, those of `predict` to rounding; dropout is that of evaluation."""
        users = interaction[self.USER_ID]
        logits = self.predict_layer.bias.expand(len(users), self.n_items)
        split = self.mf_embedding_size if self.mf_train else 0
        weight = self.predict_layer.weight.squeeze(0)
        if self.mf_train:
            mixed = self.user_mf_embedding(users) * weight[:split]
            logits = logits + mixed @ self.item_mf_embedding.weight.T
        if self.mlp_train:
            logits = logits + self._mlp_scores(users, weight[split:])
        return self.sigmoid(logits).view(-1)

    def _mlp_scores(self, users: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """[users, n_items] of the MLP's last layer times its weight in the prediction."""
        layers = [layer for layer in self.mlp_layers.mlp_layers if not isinstance(layer, nn.Dropout)]
        first, *above = layers
        to_user, to_item = first.weight.split(self.mlp_embedding_size, dim=1)
        of_users = nn.functional.linear(self.user_mlp_embedding(users), to_user, first.bias)
        of_items = nn.functional.linear(self.item_mlp_embedding.weight, to_item)
        at_once = max(_BLOCK_NUMBERS // (self.n_items * max(self.mlp_hidden_size)), 1)
        blocks = []
        for block in of_users.split(at_once):
            hidden = (block.unsqueeze(1) + of_items).flatten(0, 1)
            for layer in above:
                hidden = hidden.relu_() if isinstance(layer, nn.ReLU) else layer(hidden)
            blocks.append((hidden @ weight).view(len(block), -1))
        return torch.cat(blocks)
