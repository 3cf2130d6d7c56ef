"""Low-rank adapters of a causal language model (LoRA; Hu et al., ICLR 2022, arXiv 2106.09685)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from utils.registry import did_you_mean


class LoraError(ValueError):
    """Adapters that this model cannot have; `parameter` is the option at fault."""

    def __init__(self, parameter: str, message: str) -> None:
        self.parameter = parameter
        super().__init__(message)


@dataclass(frozen=True)
class LoraOptions:
    """W x + (alpha / r) B A dropout(x) with A [r, in] and B [out, r], B zero at first, for each of `target_modules`."""

    r: int = 8
    alpha: int = 16
    dropout: float = 0.1
    target_modules: Sequence[str] = ("q_proj", "v_proj")


def add_lora(lm: Any, options: LoraOptions) -> Any:
    """The model with adapters, which alone are trainable, in float32; LoraError for modules that it does not have."""
    from peft import LoraConfig, get_peft_model

    # The output layer is applied to the options' rows alone, where an adapter would not be met.
    inner = [(name, one) for name, one in lm.named_modules() if one is not lm.get_output_embeddings()]
    linear = sorted({name.rpartition(".")[2] for name, module in inner if isinstance(module, nn.Linear)})
    for target in options.target_modules:
        if target not in linear:
            raise LoraError(
                "target_modules",
                f"the model has no linear layer '{target}'{did_you_mean(target, linear)} (it has {', '.join(linear)})",
            )
    return get_peft_model(
        lm,
        LoraConfig(
            r=options.r,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            target_modules=list(options.target_modules),
            task_type="CAUSAL_LM",
        ),
    )


def dropouts(lm: nn.Module) -> Iterator[nn.Module]:
    """The dropout layers of the adapters: all that behaves otherwise while they are trained."""
    return (module for name, module in lm.named_modules() if name.endswith("lora_dropout"))
