"""A causal language model that reads retrieved subgraphs beside a question and answers with the letter of an option.

K-RagRec (Wang et al., ACL 2025, arXiv 2501.02226), sections 3.5 and 3.6. The input is
`[pad] head | graph | body | tail | answer`: head and tail are the same for all samples, graph are soft tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear, pad

from models.llm.lora import dropouts
from models.llm.soft_tokens import GraphReader, GraphTokens, SoftTokens

LossOn = Literal["answer", "options"]


@dataclass(frozen=True)
class Frame:
    """The token ids that all samples share: before the graph, after the body, of each option, and after the answer."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    options: tuple[int, ...]
    end: int


@dataclass(frozen=True)
class QuestionBatch:
    """B samples: the token ids of each body, and the subgraphs of each, None where none are read.

    ends [B, options]: where in its body each option's last token stands; only a model with an option head reads them.
    """

    bodies: Sequence[Sequence[int]]
    soft: SoftTokens | None = None
    ends: Sequence[Sequence[int]] | None = None


@dataclass(frozen=True)
class Answered:
    """loss: a scalar, the mean over the batch. logits [B, options] float32: as of `GraphLLM.option_logits`."""

    loss: torch.Tensor
    logits: torch.Tensor


class GraphLLMError(ValueError):
    """A language model that cannot be asked so."""


class GraphLLM(nn.Module):
    """`lm` with its parameters frozen, but for adapters, and `reader`, which is trained (None: no graph is read).

    option_head: None reads the answer's letter at the last position, as K-RagRec. With one, from the model's width to
    1 and trained, each option is read at its own last token, from where the history and the options before it are seen.
    """

    def __init__(
        self,
        lm: Any,
        frame: Frame,
        reader: GraphReader | None,
        graph_tokens: GraphTokens = "per_subgraph",
        option_head: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.lm, self.frame, self.reader, self.graph_tokens = lm, frame, reader, graph_tokens
        self.option_head, self._untouched = option_head, False
        self._head: Any = None
        # transformers has two names for it, and warns of the older one.
        names = inspect.signature(self._causal.base_model.forward).parameters
        self._cache_name = "cache" if "cache" in names else "past_key_values"
        self.train(False)

    def train(self, mode: bool = True) -> GraphLLM:
        """Training mode of what is trained; the language model's own dropout stays off, frozen as it is."""
        super().train(mode)
        self.lm.eval()
        for dropout in dropouts(self.lm):
            dropout.train(mode)
        # Adapters that are trained change what the head is to the layers.
        self._head = None
        return self

    def own_state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint holds: the trainable parameters, and the buffers of the graph encoder, by name."""
        own: dict[str, torch.Tensor] = {
            name: tensor for name, tensor in self.named_parameters() if tensor.requires_grad
        }
        if self.reader is not None:
            own |= {f"reader.{name}": tensor for name, tensor in self.reader.named_buffers()}
        return own

    def answer(self, questions: QuestionBatch, gold: torch.Tensor, loss_on: LossOn) -> Answered:
        """The loss of the right options `gold` [B].

        answer: the mean cross-entropy of the option's letter and of the end token over the vocabulary, as in K-RagRec.
        options: that of the option among all options.
        """
        if loss_on == "answer" and self.option_head is not None:
            raise GraphLLMError("the model reads options where they end, and no letter of an answer")
        if loss_on == "options":
            logits = self.option_logits(questions)
            return Answered(cross_entropy(logits, gold), logits)
        letters = self._options[gold]
        states = self._states(questions, 2, [[letter] for letter in letters.tolist()])
        over_all = self._output(states).flatten(0, 1).float()
        ends = torch.full_like(letters, self.frame.end)
        loss = cross_entropy(over_all, torch.stack([letters, ends], dim=1).flatten())
        return Answered(loss, self._of_options(states[:, 0]))

    def option_logits(self, questions: QuestionBatch) -> torch.Tensor:
        """[B, options] float32: raw logits of each option's token at the last position; no sampling touches them.

        With an option head, and unless the model is `untouched`: what it makes of the state at each option's end.
        """
        if self.option_head is None or self._untouched:
            return self._of_options(self._states(questions, 1)[:, 0])
        if questions.ends is None:
            raise GraphLLMError("the model reads options where they end, and no ends are given")
        states, after = self._hidden(questions), len(self.frame.tail)
        # Padding is on the left, so that places count from the right.
        each = zip(questions.bodies, questions.ends, strict=True)
        back = [[len(body) + after - end for end in own] for body, own in each]
        places = states.shape[1] - torch.tensor(back, device=states.device)
        rows = torch.arange(len(places), device=states.device)[:, None]
        return self.option_head(states[rows, places].float())[..., 0]

    def last_hidden(self, questions: QuestionBatch) -> torch.Tensor:
        """[B, hidden] float32: the last layer's state at the last position, after the final norm."""
        return self._states(questions, 1)[:, 0].float()

    def generate(self, questions: QuestionBatch, max_new_tokens: int, tokenizer: Any) -> list[str]:
        """What the model writes after each question, the likeliest token each time."""
        from models.llm.causal_lm import quiet_transformers

        embeds, mask = self._padded(questions, [], self.frame.head)
        with torch.inference_mode(), quiet_transformers():
            ids = self.lm.generate(
                inputs_embeds=embeds,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                no_repeat_ngram_size=0,
                pad_token_id=tokenizer.pad_token_id,
            )
        return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """The language model as it was before any training, without adapters and option head, inside the block."""
        self._head, self._untouched = None, True
        disable = getattr(self.lm, "disable_adapter", None)
        try:
            if disable is None:
                yield
            else:
                with disable():
                    yield
        finally:
            self._head, self._untouched = None, False

    @property
    def device(self) -> torch.device:
        return self._embed.weight.device

    @property
    def _causal(self) -> Any:
        """The language model itself, within its adapters."""
        within = getattr(self.lm, "get_base_model", None)
        return self.lm if within is None else within()

    @property
    def _embed(self) -> Any:
        return self._causal.get_input_embeddings()

    @property
    def _output(self) -> Any:
        return self._causal.get_output_embeddings()

    @property
    def _options(self) -> torch.Tensor:
        return torch.tensor(self.frame.options, device=self.device)

    def _of_options(self, states: torch.Tensor) -> torch.Tensor:
        """[B, options] float32 from states [B, hidden]; in bfloat16 a logit has three digits, and options would tie."""
        weight, bias = self._output.weight[self._options].float(), getattr(self._output, "bias", None)
        return linear(states.float(), weight, None if bias is None else bias[self._options].float())

    def _states(self, questions: QuestionBatch, keep: int, answers: Sequence[Sequence[int]] = ()) -> torch.Tensor:
        """[B, keep, hidden]: the last layer's, after the final norm, at the last positions.

        The output layer is applied to these alone: over all positions it is a fifth of SmolLM2's work. What a few
        models do to their logits after it, a constant factor or a soft cap, keeps every order.
        """
        # Under autocast CUDA leaves a layer norm's output in float32.
        return self._hidden(questions, answers)[:, -keep:].to(self._embed.weight.dtype)

    def _hidden(self, questions: QuestionBatch, answers: Sequence[Sequence[int]] = ()) -> torch.Tensor:
        """[B, T, hidden]: the last layer's states after the final norm, of all that is not read from the cache."""
        inputs = self._inputs(questions, answers)
        with self._in_its_precision():
            return self._causal.base_model(**inputs).last_hidden_state

    def _in_its_precision(self) -> torch.autocast:
        """Adapters, which are float32, compute in bfloat16 where the language model does: a fifth of a step's time."""
        adapted = self.lm is not self._causal and self._embed.weight.dtype == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=adapted)

    def _inputs(self, questions: QuestionBatch, answers: Sequence[Sequence[int]] = ()) -> dict[str, Any]:
        """Arguments of the language model: the head from the cache where it cannot change, else among the inputs."""
        cached = not (self.training and any(tensor.requires_grad for tensor in self.lm.parameters()))
        embeds, mask = self._padded(questions, answers, () if cached else self.frame.head)
        n_head = len(self.frame.head) if cached else 0
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + n_head
        inputs = {"inputs_embeds": embeds, "attention_mask": pad(mask, (n_head, 0), value=1), "position_ids": positions}
        if n_head:
            return {**inputs, self._cache_name: self._cache(len(embeds)), "use_cache": True}
        return {**inputs, "use_cache": False}

    def _padded(
        self, questions: QuestionBatch, answers: Sequence[Sequence[int]], head: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings [B, T, hidden] of head, graph, body, tail and answer, padded on the left; their mask [B, T]."""
        tail = self.frame.tail
        after = [
            [*body, *tail, *answer]
            for body, answer in zip(questions.bodies, answers or [()] * len(questions.bodies), strict=True)
        ]
        flat = torch.tensor([*head, *(token for one in after for token in one)], device=self.device)
        first, *texts = self._embed(flat).split([len(head), *map(len, after)])
        graphs = [first[:0]] * len(texts)
        if questions.soft is not None:
            graphs = [one.to(first.dtype) for one in questions.soft.of_each(self.graph_tokens)]
        rows = [torch.cat([first, graph, text]) for graph, text in zip(graphs, texts, strict=True)]
        longest = max(map(len, rows))
        embeds = torch.stack([pad(row, (0, 0, longest - len(row), 0)) for row in rows])
        lengths = torch.tensor([[len(row)] for row in rows], device=self.device)
        mask = (torch.arange(longest, device=self.device) >= longest - lengths).long()
        return embeds, mask

    def _cache(self, n: int) -> Any:
        """Keys and values of the head for n samples; they are computed once."""
        from transformers import DynamicCache

        if self._head is None:
            self._head = self._read_head(DynamicCache())
        cache = DynamicCache()
        for number, (keys, values) in enumerate(self._head):
            cache.update(keys.expand(n, -1, -1, -1), values.expand(n, -1, -1, -1), number)
        return cache

    def _read_head(self, found: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of each layer, [1, heads, head tokens, dim]; found: an empty cache to collect them in."""
        ids = torch.tensor([self.frame.head], device=self.device)
        kind = type(self._causal).__name__
        refusal = f"{kind} keeps no keys and values of what it has read; accepted: a transformer"
        try:
            with torch.no_grad(), self._in_its_precision():
                self._causal.base_model(input_ids=ids, use_cache=True, **{self._cache_name: found})
        except (AttributeError, IndexError, TypeError) as error:
            # Other makes look for states of their own in it.
            raise GraphLLMError(refusal) from error
        head = [(layer.keys, layer.values) for layer in found.layers]
        if not head or any(keys is None for keys, _ in head):
            raise GraphLLMError(refusal)
        return head
