"""What a language model knows of a user and an item, as two further feature fields of a context-aware recommender."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.abstract_recommender import ContextRecommender
from torch import nn

from models.kar.adaptor import ONE_OF, HybridExpertAdaptor
from models.transfer.teachers import Side, Teacher

DEFAULTS = {
    "users_emb_file": None,  # (str) Vector file of the users, in <embeddings_path>/<dataset>.
    "items_emb_file": None,  # (str) Vector file of the items; one of the two sides is enough.
    "user_profile_json": None,  # (str) Profile JSON there whose embeddings stand in for users_emb_file.
    "item_profile_json": None,  # (str) Profile JSON there whose embeddings stand in for items_emb_file.
    "user_kar_emb": None,  # (int) How wide the users' vectors have to be; as the file has them when absent.
    "item_kar_emb": None,  # (int) How wide the items' vectors have to be; as the file has them when absent.
    "shared_kar_experts_n": 2,  # (int) Experts that read the vectors of users and of items.
    "user_kar_experts_n": 5,  # (int) Experts for users alone.
    "item_kar_experts_n": 5,  # (int) Experts for items alone.
    "kar_hidden_size": 128,  # (int) Width of the hidden layer of an expert.
    "output_kar_dim": None,  # (int) Width of an expert's output; embedding_size when absent, else projected to it.
}
_COLUMNS: dict[Side, str] = {"users": "USER_ID_FIELD", "items": "ITEM_ID_FIELD"}


class KnowledgeFields(ContextRecommender):
    """A context-aware recommender with one more field for each side that has vectors.

    It stands between a backbone and RecBole's base class: `class DCNKAR(DCN, KnowledgeFields)`. So its fields are
    counted before the backbone builds its layers, and the backbone treats them as it treats any field.

    The vectors are constants: they get no gradient and are in no checkpoint. A user or an item without a vector has
    a field of zeros, which adds nothing.

    `config["users_vectors"]` and `config["items_vectors"]` are the vectors in RecBole's row order, a Teacher or None.
    """

    takes_vectors = True

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        given: dict[Side, Teacher | None] = {side: config[f"{side}_vectors"] for side in _COLUMNS}
        teachers = {side: teacher for side, teacher in given.items() if teacher is not None}
        if not teachers:
            raise ValueError(f"{type(self).__name__} needs vectors; set users_emb_file and/or items_emb_file")
        for side, teacher in teachers.items():
            setting = f"{ONE_OF[side]}_kar_emb"
            if config[setting] not in (None, teacher.width):
                raise ValueError(
                    f"{setting} is {config[setting]}, but the vectors of {teacher.source} are {teacher.width} wide"
                )
            self.register_buffer(f"{side}_vectors", teacher.vectors, persistent=False)
            self.register_buffer(f"{side}_present", teacher.present.unsqueeze(1), persistent=False)
        self.knowledge_columns: dict[Side, str] = {side: config[_COLUMNS[side]] for side in teachers}
        self.num_feature_field += len(teachers)
        output_size = config["output_kar_dim"] or self.embedding_size
        self.adaptor = HybridExpertAdaptor(
            {side: teacher.width for side, teacher in teachers.items()},
            config["shared_kar_experts_n"],
            {side: config[f"{ONE_OF[side]}_kar_experts_n"] for side in teachers},
            config["kar_hidden_size"],
            output_size,
        )
        same = output_size == self.embedding_size
        self.projection = nn.Identity() if same else nn.Linear(output_size, self.embedding_size)

    def concat_embed_input_fields(self, interaction: Any) -> torch.Tensor:
        """Embeddings [batch, num_feature_field, embedding_size]; the knowledge of user and item comes last."""
        fields = super().concat_embed_input_fields(interaction)
        knowledge = [self._field(interaction[column], side) for side, column in self.knowledge_columns.items()]
        return torch.cat([fields, torch.stack(knowledge, dim=1)], dim=1)

    def _field(self, rows: torch.Tensor, side: Side) -> torch.Tensor:
        """Augmented vectors [batch, embedding_size] of rows [batch]."""
        vectors, present = self.get_buffer(f"{side}_vectors"), self.get_buffer(f"{side}_present")
        return self.projection(self.adaptor(vectors, rows, side)) * present[rows]
