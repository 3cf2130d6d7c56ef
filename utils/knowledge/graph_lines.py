"""What a graph language model chose, one JSON line a sample."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.knowledge.candidates import option_order
from utils.knowledge.graph_choices import Choices
from utils.knowledge.graph_prompts import LETTERS
from utils.knowledge.graph_questions import Asker


def write_lines(path: Path, asker: Asker, choices: Choices, scores: np.ndarray, written: Sequence[str] | None) -> None:
    """Write user, options, gold, ranking, probs and centres of each sample, whole or not at all.

    scores [S, n]: of the candidates. options: item tokens by letter. gold: the letter of the right one, null where it
    is no option. ranking: letters, the likeliest first. probs: softmax over the options' logits, in their order.
    centres: entity tokens of the subgraphs by slot. written: what the model wrote after each question, if it did.
    """
    samples, items, entities = choices.asked.samples, asker.ready.index.items.tokens, asker.ready.index.graph.entities
    order = option_order(samples, choices.candidates.shape[1], asker.seed, None)
    logits = np.take_along_axis(scores, order, axis=1).astype(np.float64)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    right = np.take_along_axis(choices.right, order, axis=1)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            for row, user in enumerate(samples.users):
                options = choices.candidates[row, order[row]].tolist()
                line = {
                    "user": user,
                    "options": dict(zip(LETTERS, [items[item] for item in options], strict=False)),
                    "gold": LETTERS[int(right[row].argmax())] if right[row].any() else None,
                    "ranking": [LETTERS[place] for place in np.argsort(-logits[row], kind="stable")],
                    "probs": [round(value, 6) for value in probabilities[row].tolist()],
                    "centres": [
                        [entities[node] for node in slot if node >= 0]
                        for slot in choices.asked.retrieved.centres[row].tolist()
                    ],
                }
                if written is not None:
                    line["written"] = written[row]
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
