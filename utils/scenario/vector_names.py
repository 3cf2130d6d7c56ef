"""Names of files in the folder of vectors: a name, never a path, so that no scenario reads or writes elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# `accepted` is what an error message says; a pattern is no answer to a person.
VectorFileName = Annotated[
    str,
    Field(
        pattern=r"^[^./\\\x00][^/\\\x00]*\.pt$",
        examples=["user64.pt"],
        json_schema_extra={"accepted": "a file name that ends in .pt, without a folder or a leading dot"},
    ),
]
ProfileFileName = Annotated[
    str,
    Field(
        pattern=r"^[^./\\\x00][^/\\\x00]*$",
        examples=["user_profiles.json"],
        json_schema_extra={"accepted": "a file name without a folder or a leading dot"},
    ),
]
# What `write_profiles` appends to.
ProfileLinesName = Annotated[
    str,
    Field(
        pattern=r"^[^./\\\x00][^/\\\x00]*\.jsonl$",
        examples=["users.jsonl"],
        json_schema_extra={"accepted": "a file name that ends in .jsonl, without a folder or a leading dot"},
    ),
]
