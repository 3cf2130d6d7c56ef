"""RecBole's own sequence on the tiny dataset: config, data, model, one batch."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.transfer.rows import IdFields
from tests.contracts.recbole_models import COMMON, ModelCase
from utils.recbole_port.gaps import close_gaps
from utils.recbole_port.session import Data, id_fields, seed_everything


@dataclass
class Built:
    """A freshly seeded model with what trains it."""

    config: Any
    train: Any
    valid: Any
    test: Any
    model: Any
    fields: IdFields

    def batch(self) -> Any:
        """The first training batch; the E-step that a contrastive model needs before it is done."""
        from recbole.data.dataloader import KnowledgeBasedDataLoader
        from recbole.utils import KGDataLoaderState

        if isinstance(self.train, KnowledgeBasedDataLoader):
            self.train.set_mode(KGDataLoaderState.RSKG)
        if hasattr(self.model, "e_step"):
            self.model.e_step()
        return next(iter(self.train)).to(self.config["device"])


def build(case: ModelCase, data_path: Path, run_dir: Path, **settings: Any) -> Built:
    """The model of a case on `data_path/tiny`, built as RecBole builds it."""
    close_gaps()
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model

    # Config fills in nested settings in place.
    given = copy.deepcopy({**COMMON, **case.settings, **settings})
    fixed = {"data_path": str(data_path), "checkpoint_dir": str(run_dir), "show_progress": False, "use_gpu": False}
    config = Config(model=case.name, dataset="tiny", config_dict={**given, **fixed})
    seed_everything(config)
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    seed_everything(config)
    model = get_model(config["model"])(config, train._dataset).to(config["device"])
    fields = id_fields(config, Data(dataset, [train], valid, test, len(dataset)))
    return Built(config, train, valid, test, model, fields)
