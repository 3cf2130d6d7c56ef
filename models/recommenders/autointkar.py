"""AutoInt (Song et al., CIKM 2019, arXiv 1810.11921) that attends to the knowledge of user and item as well."""

from __future__ import annotations

from recbole.model.context_aware_recommender.autoint import AutoInt

from models.kar.fields import KnowledgeFields


class AutoIntKAR(AutoInt, KnowledgeFields):
    """RecBole's AutoInt with the augmented vectors of KAR as further fields of its self-attention and of its MLP.

    See `models.kar.adaptor` for how a vector becomes a field.
    """
