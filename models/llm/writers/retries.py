"""When a request that got no answer is sent again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

# An endpoint that asks for a longer wait is not waited for.
MOST_WAIT_S = 120.0
_FIRST_WAIT_S, _LONGEST_WAIT_S, _JITTER = 0.5, 8.0, 0.25
# Not the global generator, which training draws from.
_DICE = random.SystemRandom()


def is_lost(status: int) -> bool:
    """Whether an HTTP status says that nobody has looked at the request: 408, 409, 429 and 5xx."""
    return status in (408, 409, 429) or status >= 500


def wait_s(n_tries: int, headers: Mapping[str, str]) -> float | None:
    """Seconds until the next try, after `n_tries` that an endpoint refused with `headers`; None for no further try.

    As long as Retry-After says, up to MOST_WAIT_S; without it half a second, doubling with each try up to eight
    seconds, less up to a quarter by chance, so that threads do not come back all at once. None where the endpoint
    asks for a longer wait, or says `x-should-retry: false`.
    """
    if headers.get("x-should-retry") == "false":
        return None
    asked = retry_after_s(headers)
    if asked is not None:
        return asked if asked <= MOST_WAIT_S else None
    longest = min(_FIRST_WAIT_S * 2.0 ** min(n_tries - 1, 10), _LONGEST_WAIT_S)
    return longest * (1 - _JITTER * _DICE.random())


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, as a number or a date (RFC 9110, 10.2.3); None where it asks for no wait."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        # A date without a zone is in UTC.
        seconds = (when.replace(tzinfo=when.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds()
    return seconds if seconds > 0 else None
