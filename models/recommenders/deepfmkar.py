"""DeepFM (Guo et al., IJCAI 2017, arXiv 1703.04247) with the knowledge of user and item as further fields."""

from __future__ import annotations

from recbole.model.context_aware_recommender.deepfm import DeepFM

from models.kar.fields import KnowledgeFields


class DeepFMKAR(DeepFM, KnowledgeFields):
    """RecBole's DeepFM with the augmented vectors of KAR as further fields of its second-order term and of its MLP.

    See `models.kar.adaptor` for how a vector becomes a field.
    """
