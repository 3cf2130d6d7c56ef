"""Types and ranges of the settings that every scenario may have: RecBole's general ones and our own."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from utils.scenario.vector_names import ProfileFileName, VectorFileName

Weight = Annotated[float, Field(ge=0, le=1)]
# The examples stand in error messages and in editors.
Interval = Annotated[
    str, Field(pattern=r"^\s*[\[(].*,.*[\])]\s*(;\s*[\[(].*,.*[\])]\s*)*$", examples=["[5,inf)", "(0,10]"])
]
EvalMode = Annotated[
    str, Field(pattern=r"^(full|labeled|(uni|pop)[1-9][0-9]*)$", examples=["full", "labeled", "uni100", "pop100"])
]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
T = TypeVar("T")
NotEmpty = Annotated[list[T], Field(min_length=1)]
Columns = list[str] | Literal["*"]

# Metric -> what it measures, as RecBole sorts them.
RANKING_METRICS = (
    "Recall", "MRR", "NDCG", "Hit", "MAP", "Precision", "GAUC", "ItemCoverage", "AveragePopularity",
    "ShannonEntropy", "GiniIndex", "TailPercentage",
)  # fmt: skip
VALUE_METRICS = ("AUC", "MAE", "RMSE", "LogLoss")


class Section(BaseModel):
    """A setting that is itself a mapping with names of its own."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PreprocessFromJson(Section):
    """Make a vector file out of a profile JSON (a list of {id, description, embedding, ...})."""

    from_: ProfileFileName = Field(alias="from", description="Profile JSON under the vectors folder.")
    to: VectorFileName = Field(description="Vector file to write there.")
    by: Literal["exp_2024_04_11", "exp_2024_05_18_AVC_users"] | None = Field(
        None, description="LLM-KT's name of an alignment; rows are aligned by token here."
    )


class PreprocessRandom(Section):
    """Make random vector files, as a control."""

    random: bool = Field(False, description="Whether to make them.")
    embedding_size: PositiveInt = 64
    random_users_emb_file: VectorFileName = "user_random.pt"
    random_items_emb_file: VectorFileName = "item_random.pt"


class LlmConfig(Section):
    """Where vectors of users and items come from."""

    embeddings_path: str = Field("datasets/llm_embeddings", description="Folder with one folder per dataset.")
    default_users_emb_file: VectorFileName | None = Field(
        None, description="Used when wrap_model names no users_emb_file."
    )
    default_items_emb_file: VectorFileName | None = Field(
        None, description="Used when wrap_model names no items_emb_file."
    )
    use_user_emb: bool = True
    use_item_emb: bool = False
    users_start_with_1: bool = Field(True, description="Row 0 of a bare matrix belongs to the user with token '1'.")
    items_start_with_1: bool = Field(True, description="Row 0 of a bare matrix belongs to the item with token '1'.")
    preprocess_from_json: PreprocessFromJson | None = None
    preprocess_random: PreprocessRandom | None = None


class Split(Section):
    """How interactions are divided; exactly one of these."""

    RS: list[NonNegativeFloat] | None = Field(None, description="Ratios of train, valid and test.")
    LS: Literal["valid_and_test", "valid_only", "test_only"] | None = Field(None, description="Leave one out.")
    TS: list[NonNegativeFloat] | None = Field(None, description="Ratios along time.")


class Modes(Section):
    """What an item is ranked against, for validation and for the test."""

    valid: EvalMode = "full"
    test: EvalMode = "full"


class EvalArgs(Section):
    """RecBole's evaluation protocol; what is not said is taken from RecBole's own, not from the model's."""

    split: Split | None = Field(None, description="How interactions are divided.")
    group_by: Literal["user", "none"] | None = Field(None, description="Divide each user's interactions, or all.")
    order: Literal["RO", "TO"] = Field("RO", description="At random, or by time.")
    mode: EvalMode | Modes = Field("full", description="What an item is ranked against.")


class ClipGradNorm(Section):
    """Arguments of torch.nn.utils.clip_grad_norm_."""

    max_norm: PositiveFloat
    norm_type: float = 2.0
    error_if_nonfinite: bool = False
    foreach: bool | None = None


class NegativeSampling(Section):
    """RecBole's training negatives."""

    distribution: Literal["uniform", "popularity", "none"] | None = "uniform"
    sample_num: PositiveInt = 1
    alpha: NonNegativeFloat = 1.0
    dynamic: bool = False
    candidate_num: NonNegativeInt = 0


class Range(Section):
    """Numbers from `low` to `high`, both included: whole ones where both ends are written so (0, not 0.0)."""

    low: float
    high: float
    log: bool = Field(False, description="Every order of magnitude is as likely as the next.")
    step: PositiveFloat | None = Field(None, description="Only low, low + step, low + 2 * step, ...")


class Search(Section):
    """Try values of settings and step parameters, and write the scenario that validates best."""

    space: Annotated[dict[str, Range | NotEmpty[Any]], Field(min_length=1)] = Field(
        description="Setting, or command.parameter (the second such command: command-2.parameter) -> values to try."
    )
    method: Literal["tpe", "random", "grid"] = Field("tpe", description="How the next values are chosen.")
    trials: PositiveInt | None = Field(None, description="How many; 20 when absent, all points of a grid.")
    seed: Seed = Field(0, description="Of the choice of values, not of the trainings.")
    prune: bool = Field(
        False, description="Stop a trial whose valid metric is below the median of the others at the same epoch."
    )
    unequal_trials: bool = Field(False, description="Accept another number of trials than the baseline's.")


class SliceBounds(Section):
    """Up to how many interactions in the train part, each pair of user and item counted once, one is cold."""

    cold_users: NonNegativeInt = 20
    cold_items: NonNegativeInt = 10


class Tuned(Section):
    """How the values of this scenario were found; written by a search, so that comparisons know its budget."""

    trials: PositiveInt
    over: NotEmpty[str]
    by: str = Field("", description="The search.")


class BridgeSettings(BaseModel):
    """Settings that RecBridge adds to RecBole's."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    logger_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field("INFO", description="Log level.")
    journal_name: Annotated[str, Field(pattern=r"^[^/\\]+\.csv$", examples=["journal.csv"])] = Field(
        "journal.csv", description="CSV beside the experiments, one row per run."
    )
    distil_loss_weight: Weight = Field(0.5, description="a in (1-a) * model_loss + a * transfer_loss.")
    add_train_split: list[PositiveFloat] | None = Field(
        None, description="Ratios; the parts plus the full train set become train datasets 0, 1, 2, ..."
    )
    add_train_shuffle: bool = Field(False, description="Shuffle (seeded) before add_train_split.")
    llm_config: LlmConfig | None = None
    save: bool = Field(True, description="Keep the checkpoint of the best epoch.")
    threads: PositiveInt | None = Field(
        None, description="CPU threads for torch; OMP_NUM_THREADS, else half of the cores, 8 at most, when absent."
    )
    train_rows: Literal["windows", "last_window", "prefix"] | None = Field(
        None,
        description="What a sequential model trains on: windows with a target at every position, each user's last "
        "window only, or one row per target as in RecBole. Windows where they fit when absent.",
    )
    filter_seen: bool | None = Field(
        None,
        description="Leave what a user has seen out of the full ranking; as RecBole does when absent: not where "
        "repeatable is True, as for sequential models, else so.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: matrix products of the training in half the bits (autocast)."
    )
    seeds: NotEmpty[Seed] | None = Field(None, description="One run with each of these as seed.")
    baseline: str | None = Field(
        None, description="The scenario of the same folder that this one is compared with; its plain twin when absent."
    )
    control: Literal["plain", "random", "shuffled"] | None = Field(
        None,
        description="Run the scenario as a control of itself: without any transfer, with vectors of random directions, "
        "or with vectors of wrong owners.",
    )
    controls: NotEmpty[Literal["plain", "random", "shuffled"]] | None = Field(
        None, description="Run the scenario as it is and as each of these controls, and compare them."
    )
    search: Search | None = None
    tuned: Tuned | None = None
    slices: SliceBounds = Field(  # type: ignore[assignment]
        # As plain values, because a resolved scenario writes the defaults down.
        SliceBounds().model_dump(),
        description="Who is cold in the slices of the test metrics: has at most this many interactions in the train "
        "part.",
    )
    trackers: list[Literal["tensorboard", "mlflow", "wandb"]] = Field(
        ["tensorboard"], description="Where runs are recorded besides the journal."
    )


class CommonSettings(BridgeSettings):
    """RecBole's general settings with their types and ranges; what a model adds is checked by its default."""

    model: str = Field(description="A RecBole model, or a class of models/.")
    dataset: Annotated[str, Field(pattern=r"^[^/\\\x00]+$", examples=["ml-100k"])] = Field(
        description="Folder under data_path; 'ml-100k' comes with RecBole."
    )
    data_path: str = Field("datasets", description="Folder that holds the datasets.")
    checkpoint_dir: str = Field("saved", description="Folder that gets one folder per run.")
    seed: Seed = 2020
    reproducibility: bool = True
    use_gpu: bool = True
    gpu_id: str | int = "0"
    worker: NonNegativeInt = 0
    state: Literal["INFO", "DEBUG", "ERROR", "WARNING", "CRITICAL", "info", "debug", "error", "warning"] = "INFO"
    show_progress: bool = True
    shuffle: bool = True
    epochs: NonNegativeInt = 300
    train_batch_size: PositiveInt = 2048
    eval_batch_size: PositiveInt = 4096
    learner: Literal["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"] = "adam"
    learning_rate: PositiveFloat = 0.001
    weight_decay: NonNegativeFloat = 0.0
    train_neg_sample_args: NegativeSampling | None = None
    eval_step: NonNegativeInt = 1
    stopping_step: NonNegativeInt = 10
    clip_grad_norm: ClipGradNorm | None = None
    loss_decimal_place: PositiveInt = 4
    metric_decimal_place: PositiveInt = 4
    enable_amp: bool = False
    enable_scaler: bool = False
    require_pow: bool = False
    log_wandb: bool = False
    eval_args: EvalArgs = Field(default_factory=lambda: EvalArgs.model_validate({}))
    repeatable: bool = False
    metrics: str | NotEmpty[str] = Field(["Recall", "MRR", "NDCG", "Hit", "Precision"])
    topk: PositiveInt | NotEmpty[PositiveInt] = Field([10])
    valid_metric: str = "MRR@10"
    field_separator: Annotated[str, Field(min_length=1)] = "\t"
    seq_separator: Annotated[str, Field(min_length=1)] = " "
    USER_ID_FIELD: str = "user_id"
    ITEM_ID_FIELD: str = "item_id"
    RATING_FIELD: str = "rating"
    TIME_FIELD: str = "timestamp"
    LABEL_FIELD: str = "label"
    threshold: dict[str, float] | None = None
    MAX_ITEM_LIST_LENGTH: PositiveInt = 50
    load_col: dict[str, Columns] | None = None
    unload_col: dict[str, Columns] | None = None
    unused_col: dict[str, list[str]] | None = None
    additional_feat_suffix: str | list[str] | None = None
    seq_len: dict[str, PositiveInt] | None = None
    alias_of_user_id: list[str] | None = None
    alias_of_item_id: list[str] | None = None
    alias_of_entity_id: list[str] | None = None
    alias_of_relation_id: list[str] | None = None
    preload_weight: dict[str, str] | None = None
    normalize_field: list[str] | None = None
    discretization: dict[str, Any] | None = None
    encoding: str | None = None
    user_inter_num_interval: Interval | None = None
    item_inter_num_interval: Interval | None = None
    entity_kg_num_interval: Interval | None = None
    relation_kg_num_interval: Interval | None = None
    val_interval: dict[str, Interval] | None = None
    rm_dup_inter: Literal["first", "last"] | None = None
    filter_inter_by_user_or_item: bool = True
    benchmark_filename: list[str] | None = None
    numerical_features: list[str] = []
    normalize_all: bool | None = None
