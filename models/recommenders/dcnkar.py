"""DCN (Wang et al., ADKDD 2017, arXiv 1708.05123) that crosses features with the knowledge of user and item."""

from __future__ import annotations

from recbole.model.context_aware_recommender.dcn import DCN

from models.kar.fields import KnowledgeFields


class DCNKAR(DCN, KnowledgeFields):
    """RecBole's DCN with the augmented vectors of KAR as further fields of its cross network and of its MLP.

    See `models.kar.adaptor` for how a vector becomes a field.
    """
