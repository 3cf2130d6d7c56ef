"""Metrics of choices by user, one file for each row of their table, as tests of significance read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from utils.journal import per_user
from utils.report.significance import Floats


def write_rows(
    run_dir: Path,
    step_number: int,
    users: Sequence[str],
    n_train: NDArray[np.integer[Any]],
    rows: Mapping[str, Mapping[str, Floats]],
) -> dict[str, str]:
    """Write each row's metrics [S] of the samples of `users` [S] (tokens) beside the record; row -> file name.

    n_train: how many items of the train part each sample's user has [S].
    """
    files = {}
    for name, values in rows.items():
        # Percent signs keep names apart that a simpler rule would make one; none leads out of the folder.
        files[name] = per_user.file_name(f"{step_number}_{quote(name, safe='')}")
        tokens = pd.Series(list(users), dtype="string")
        per_user.write(run_dir / files[name], tokens, pd.Series(n_train), pd.DataFrame(dict(values)))
    return files
