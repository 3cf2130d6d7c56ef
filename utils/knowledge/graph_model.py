"""A graph language model of a run: the language model, its adapters, and what reads the run's graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from utils.context import RunContext
from utils.knowledge.graph_config import GraphConfig
from utils.paths import LLM_MODELS_DIR
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from torch.nn import Linear

    from models.llm.causal_lm import CausalLM
    from models.llm.chat_layout import ChatLayout
    from models.llm.graph_llm import GraphLLM
    from models.llm.soft_tokens import GraphReader


def load_llm(ctx: RunContext, name: str, parameter: str) -> CausalLM:
    """The language model on the run's device, every parameter frozen; StepError at `parameter` where there is none."""
    from models.llm.causal_lm import CausalLMError, load, needs_conversion

    if needs_conversion(name, LLM_MODELS_DIR):
        ctx.console.line(f"        converting {name} to {LLM_MODELS_DIR}, once")
    try:
        lm = load(name, ctx.recbole_config()["device"], LLM_MODELS_DIR)
    except CausalLMError as error:
        raise StepError(parameter, str(error)) from error
    if lm.model.device.type == "cpu":
        # torch's fused attention is the slower one there: .55 s for a sample of 260 tokens and its gradient, not .41 s.
        lm.model.set_attn_implementation("eager")
    return lm


def layout(lm: CausalLM, instruction: str) -> ChatLayout:
    """Where questions stand in the model's input; StepError for a chat template without a place for them."""
    from models.llm.chat_layout import ChatLayoutError, layout_of

    try:
        return layout_of(lm.tokenizer, instruction)
    except ChatLayoutError as error:
        raise StepError("llm", str(error)) from error


def build(ctx: RunContext, config: GraphConfig, lm: CausalLM, around: ChatLayout, n_options: int) -> GraphLLM:
    """The model as configured, what is trained of it drawn from the run's seed, and the language model frozen.

    StepError for letters that are no tokens, adapters that the language model cannot have, and a graph encoder that
    cannot be.
    """
    import torch

    from models.llm.graph_llm import Frame, GraphLLM, GraphLLMError, QuestionBatch
    from models.llm.lora import LoraError, LoraOptions, add_lora
    from models.llm.option_tokens import OptionTokensError, end_id, option_ids
    from utils.knowledge.graph_prompts import LETTERS

    try:
        letters = option_ids(lm.tokenizer, around, LETTERS[:n_options])
        end = end_id(lm.tokenizer, lm.model.generation_config)
    except OptionTokensError as error:
        raise StepError("num_candidates", str(error)) from error
    for tensor in lm.model.parameters():
        tensor.requires_grad_(False)
    torch.manual_seed(ctx.recbole_config()["seed"])
    reader = _reader(config, lm, around)
    try:
        model = lm.model if config.lora is None else add_lora(lm.model, LoraOptions(**config.lora))
    except LoraError as error:
        raise StepError(f"lora.{error.parameter}", str(error)) from error
    frame = Frame(around.head_ids, around.tail_ids, letters, end)
    head = _option_head(lm) if config.read_at == "options" else None
    built = GraphLLM(model, frame, reader, config.graph_tokens or "per_subgraph", head)
    try:
        # One question, so that a model of another make is known before an epoch is spent on it.
        built.option_logits(QuestionBatch([[end]], ends=[[0]]))
    except GraphLLMError as error:
        raise StepError("llm", str(error)) from error
    return built.train(False)


def _option_head(lm: CausalLM) -> Linear:
    """Finds all options alike at first."""
    from torch.nn import Linear
    from torch.nn.init import zeros_

    head = Linear(lm.model.get_input_embeddings().weight.shape[1], 1, bias=False)
    zeros_(head.weight)
    return head.to(lm.model.device)


def _reader(config: GraphConfig, lm: CausalLM, around: ChatLayout) -> GraphReader | None:
    from models.graph.encoder import GraphEncoder, GraphEncoderError
    from models.graph.projector import Projector
    from models.llm.soft_tokens import GraphReader, mean_length

    if config.gnn is None or config.projector_hidden is None:
        return None
    try:
        encoder = GraphEncoder(config.in_dim, config.in_dim, **config.gnn)
    except GraphEncoderError as error:
        raise StepError(f"gnn.{error.parameter}", str(error)) from error
    words = lm.model.get_input_embeddings().weight
    projector = Projector(encoder.hidden_dim, config.projector_hidden, words.shape[1])
    if around.head_ids:
        # At first the graph is one token again and again, the one that stands before it: something the model has read
        # before, which random vectors are not.
        projector.start_at(words[around.head_ids[-1]].detach())
    length = mean_length(words) if config.token_length == "embeddings" else None
    return GraphReader(encoder, projector, length).to(lm.model.device)


def context_of(lm: CausalLM) -> int:
    """How many tokens the language model reads."""
    return int(lm.model.config.get_text_config().max_position_embeddings)
