"""Names of the slices of users and items that test metrics are told by."""

from __future__ import annotations

COLD_ITEMS, WARM_ITEMS, COLD_USERS, WARM_USERS = "cold_items", "warm_items", "cold_users", "warm_users"
# Beside the metrics of a slice: how many rows they are an average of.
ROWS = "rows"
# Tenths of the items, from the least popular to the most popular.
DECILES = tuple(f"items_decile_{number}" for number in range(1, 11))
NAMES = (COLD_ITEMS, WARM_ITEMS, COLD_USERS, WARM_USERS, *DECILES)
