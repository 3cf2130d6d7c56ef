"""The two sides of a dataset that vectors and descriptions are about."""

from __future__ import annotations

from typing import Literal

Side = Literal["users", "items"]
