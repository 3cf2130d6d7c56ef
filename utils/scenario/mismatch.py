"""Pydantic's findings in our words: what was got, what is accepted, the nearest right value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from utils.registry import did_you_mean

# A word that is near a boolean by meaning, not by letters.
_TRUE_WORDS = {"train", "trainable", "unfreeze", "yes", "on"}
_FALSE_WORDS = {"freeze", "frozen", "no", "off"}


def describe_mismatch(detail: Mapping[str, Any]) -> str:
    """`got 'x'; accepted: an integer greater than 0` from one entry of pydantic's `errors()`."""
    accepted = re.sub(r"^Input should (be |have )?", "", detail["msg"]).replace("Value error, ", "")
    accepted = accepted.replace("a valid boolean", "True or False").replace("a valid ", "a ")
    accepted = re.sub(r"^String should match pattern", "a text that matches", accepted)
    accepted = re.sub(r"^(greater|less) than", r"a number \1 than", accepted).replace("a integer", "an integer")
    got = detail["input"]
    shown = repr(got) if len(repr(got)) <= 60 else f"{repr(got)[:57]}..."
    return f"got {shown}; accepted: {accepted}{_hint(detail, got)}"


def _hint(detail: Mapping[str, Any], got: Any) -> str:
    if not isinstance(got, str):
        return ""
    if detail["type"] == "bool_type":
        if got.lower() in _TRUE_WORDS | _FALSE_WORDS:
            return f"; did you mean '{got.lower() in _TRUE_WORDS}'?"
        return did_you_mean(got, ["True", "False"])
    if detail["type"] == "literal_error":
        return did_you_mean(got, re.findall(r"'([^']+)'", detail["msg"]))
    return ""
