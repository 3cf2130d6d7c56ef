"""Generative alignment: what the model knows of a user or item besides its own embedding finds its vector."""

import torch

from models.losses.base import Positive, loss
from models.losses.infonce import infonce


@loss("masked_reconstruction", masks=True, contrasts=True)
def masked_reconstruction(student: torch.Tensor, teacher: torch.Tensor, *, temperature: Positive = 0.2) -> torch.Tensor:
    """`infonce` of the rows whose input embeddings were hidden from the model, student and teacher [n, dim] -> scalar.

    The caller hides embeddings, and hands over these rows only: what the layers above made of everything else. So
    the vector of a row is to be told from the vectors of the other hidden rows.

    RLMRec's generative alignment (Ren et al., WWW 2024, arXiv 2310.15950). There it takes place in the teacher's
    space, to which a network brings the student's rows: an adapter.
    """
    return infonce(student, teacher, temperature=temperature)
