"""A tiny dataset in RecBole's atomic form, on which any RecBole model trains a batch in under a second."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

USERS, ITEMS, ENTITIES = 30, 40, 60
INTERACTIONS_PER_USER = 20
VECTOR_SIZE = 8
_JOBS = ("artist", "doctor", "farmer", "writer")
_CLASSES = ("Action", "Comedy", "Drama", "Horror", "War")
_WORDS = ("blue", "city", "dark", "first", "garden", "house", "last", "long", "night", "river", "road")
_RELATIONS = ("actor", "director", "genre", "writer")


def write_tiny_dataset(folder: Path) -> None:
    """Write `folder/tiny/tiny.*`: 30 users, 40 items, 600 interactions, all side files; always the same.

    Users u1..u30 and items i1..i40 all occur; items i1..i40 are linked to entities e1..e40 of e1..e60. The
    `.ent` and `.rel` files hold one vector of 8 per entity and relation. Ratings are 1..5, and every user
    gives ratings on both sides of 4; timestamps rise within a user.
    """
    draw = random.Random(7)
    users = [f"u{number}" for number in range(1, USERS + 1)]
    items = [f"i{number}" for number in range(1, ITEMS + 1)]
    entities = [f"e{number}" for number in range(1, ENTITIES + 1)]
    target = folder / "tiny"
    target.mkdir(parents=True, exist_ok=True)

    def write(suffix: str, header: str, rows: Iterable[Iterable[object]]) -> None:
        lines = [header.replace(" ", "\t"), *("\t".join(map(str, row)) for row in rows)]
        (target / f"tiny.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def vector() -> str:
        return " ".join(f"{draw.uniform(-1, 1):.4f}" for _ in range(VECTOR_SIZE))

    interactions = []
    for position, user in enumerate(users):
        # The first ones walk through all items, so that none is without an interaction.
        first = [items[(position * 2 + step) % ITEMS] for step in range(2)]
        chosen = first + draw.sample([item for item in items if item not in first], INTERACTIONS_PER_USER - 2)
        for step, item in enumerate(chosen):
            rating = (5, 2)[step] if step < 2 else draw.randint(1, 5)
            interactions.append((user, item, rating, 1000 * (position + 1) + step))
    write("inter", "user_id:token item_id:token rating:float timestamp:float", interactions)
    write(
        "user",
        "user_id:token age:token gender:token occupation:token",
        [(user, draw.randint(18, 60), draw.choice("FM"), draw.choice(_JOBS)) for user in users],
    )
    write(
        "item",
        "item_id:token title:token_seq release_year:token class:token_seq",
        [
            (
                item,
                " ".join(draw.sample(_WORDS, 3)),
                draw.randint(1980, 1999),
                " ".join(draw.sample(_CLASSES, draw.randint(1, 3))),
            )
            for item in items
        ],
    )
    write("link", "item_id:token entity_id:token", zip(items, entities, strict=False))
    heads = entities[:ITEMS] * 4
    triples = {(head, draw.choice(_RELATIONS), draw.choice(entities[ITEMS:])) for head in heads}
    write("kg", "head_id:token relation_id:token tail_id:token", sorted(triples))
    write("ent", "ent_id:token ent_emb:float_seq", ((entity, vector()) for entity in entities))
    write("rel", "rel_id:token rel_emb:float_seq", ((relation, vector()) for relation in _RELATIONS))
