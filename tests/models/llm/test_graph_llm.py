"""The language model that reads graphs: its input's layout, its logits and what training may change."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax

from models.graph.subgraphs import Subgraphs
from models.llm.graph_llm import Frame, GraphLLM, GraphLLMError, QuestionBatch
from models.llm.lora import LoraError, LoraOptions, add_lora
from models.llm.soft_tokens import GraphReader, SoftTokens, mean_length
from tests.models.llm.tiny_lm import HIDDEN, tiny_lm

FRAME = Frame(head=(1, 5, 6), tail=(7, 8), options=(10, 11, 12, 13), end=2)
BODIES = [[20, 21], [22, 23, 24, 25, 26], [27, 28, 29]]


class Mean(nn.Module):
    """In place of a graph encoder: the mean of the nodes' vectors."""

    hidden_dim = 3

    def forward(self, data: object) -> torch.Tensor:
        sums = torch.zeros(len(data.ptr) - 1, 3).index_add(0, data.batch, data.x)  # type: ignore[attr-defined]
        return sums / data.ptr.diff()[:, None]  # type: ignore[attr-defined]


def graph() -> Subgraphs:
    """The path 0 - 1 - 2 - 3 with one relation."""
    return Subgraphs(
        torch.tensor([0, 1, 3, 5, 6]),
        torch.tensor([1, 0, 2, 1, 3, 2]),
        torch.tensor([0, 1, 0, 1, 0, 1]),
        torch.arange(12.0).reshape(4, 3) / 10,
        torch.zeros(2, 3),
    )


def soft(n: int = 3) -> SoftTokens:
    """Two tokens for the first sample, none for the second, one for the third."""
    table = torch.randn(2, HIDDEN, generator=torch.Generator().manual_seed(3))
    return SoftTokens(table, torch.tensor([[0, 1, -1], [-1, -1, -1], [-1, 1, -1]])[:n])


def reader() -> GraphReader:
    torch.manual_seed(1)
    return GraphReader(Mean(), nn.Linear(3, HIDDEN))


def written_out(lm: nn.Module, body: list[int], graph_rows: torch.Tensor) -> torch.Tensor:
    """Logits after head, graph, body and tail of one sample alone, without padding and without a cache."""
    embed = lm.get_input_embeddings()
    parts = [embed(torch.tensor(FRAME.head)), graph_rows, embed(torch.tensor([*body, *FRAME.tail]))]
    return lm(inputs_embeds=torch.cat(parts)[None]).logits[0]


def test_a_batch_gives_each_sample_the_logits_that_it_has_alone() -> None:
    lm, tokens = tiny_lm(), soft()
    rows = [tokens.table, tokens.table[:0], tokens.table[1:]]
    alone = [written_out(lm, body, own)[-1, list(FRAME.options)] for body, own in zip(BODIES, rows, strict=True)]
    found = GraphLLM(lm, FRAME, None).option_logits(QuestionBatch(BODIES, tokens))
    torch.testing.assert_close(found, torch.stack(alone), rtol=1e-4, atol=1e-5)


def test_the_mean_of_the_subgraphs_is_one_token() -> None:
    lm, tokens = tiny_lm(), soft(1)
    alone = written_out(lm, BODIES[0], tokens.table.mean(0, keepdim=True))[-1, list(FRAME.options)]
    found = GraphLLM(lm, FRAME, None, "mean").option_logits(QuestionBatch(BODIES[:1], tokens))
    torch.testing.assert_close(found[0], alone, rtol=1e-4, atol=1e-5)


def test_a_sample_without_subgraphs_has_no_graph_token() -> None:
    lm = tiny_lm()
    without = GraphLLM(lm, FRAME, None).option_logits(QuestionBatch(BODIES))
    for kind in ("per_subgraph", "mean"):
        found = GraphLLM(lm, FRAME, None, kind).option_logits(QuestionBatch(BODIES, soft()))
        torch.testing.assert_close(found[1], without[1], rtol=1e-4, atol=1e-5)


def test_the_loss_of_answers_is_that_of_the_letter_and_of_the_end() -> None:
    lm = tiny_lm()
    letter = FRAME.options[2]
    logits = written_out(lm, [*BODIES[0], *FRAME.tail, letter][: len(BODIES[0])], torch.empty(0, HIDDEN))[-1]
    embed = lm.get_input_embeddings()
    after = lm(inputs_embeds=embed(torch.tensor([*FRAME.head, *BODIES[0], *FRAME.tail, letter]))[None]).logits[0, -1]
    expected = -(log_softmax(logits, 0)[letter] + log_softmax(after, 0)[FRAME.end]) / 2
    found = GraphLLM(lm, FRAME, None).answer(QuestionBatch(BODIES[:1]), torch.tensor([2]), "answer")
    torch.testing.assert_close(found.loss, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.logits[0], logits[list(FRAME.options)], rtol=1e-4, atol=1e-5)


def test_the_loss_of_options_is_that_among_the_letters() -> None:
    model = GraphLLM(tiny_lm(), FRAME, None)
    gold = torch.tensor([0, 3, 1])
    found = model.answer(QuestionBatch(BODIES), gold, "options")
    torch.testing.assert_close(found.loss, cross_entropy(model.option_logits(QuestionBatch(BODIES)), gold))


def test_a_random_model_knows_nothing_of_the_options() -> None:
    model = GraphLLM(tiny_lm(), FRAME, None)
    loss = model.answer(QuestionBatch(BODIES), torch.tensor([0, 1, 2]), "options").loss
    # Weights of a hundredth or two leave all options nearly alike: ln 4.
    assert float(loss) == pytest.approx(math.log(4), abs=0.2)


def option_head() -> nn.Linear:
    torch.manual_seed(4)
    return nn.Linear(HIDDEN, 1, bias=False)


ENDS = [[0, 1], [1, 4], [0, 2]]


@pytest.mark.parametrize("training", [False, True])
def test_an_option_head_reads_each_option_at_its_own_last_token(training: bool) -> None:
    lm, tokens, head = tiny_lm(), soft(), option_head()
    rows = [tokens.table, tokens.table[:0], tokens.table[1:]]
    expected = []
    for body, own, ends in zip(BODIES, rows, ENDS, strict=True):
        embed = lm.get_input_embeddings()
        parts = [embed(torch.tensor(FRAME.head)), own, embed(torch.tensor([*body, *FRAME.tail]))]
        states = lm.model(inputs_embeds=torch.cat(parts)[None]).last_hidden_state[0]
        # Three tokens of the head and the graph's own stand before the body.
        expected.append([head(states[3 + len(own) + end]).item() for end in ends])
    model = GraphLLM(lm, FRAME, None, option_head=head).train(training)
    found = model.option_logits(QuestionBatch(BODIES, tokens, ENDS))
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_an_option_head_is_trained_and_is_not_read_from_untouched_models() -> None:
    model = GraphLLM(tiny_lm(), FRAME, None, option_head=option_head())
    asked = QuestionBatch(BODIES, ends=ENDS)
    found = model.answer(asked, torch.tensor([0, 1, 1]), "options")
    torch.testing.assert_close(found.loss, cross_entropy(found.logits, torch.tensor([0, 1, 1])))
    found.loss.backward()
    assert model.option_head is not None
    assert model.option_head.weight.grad is not None
    assert "option_head.weight" in model.own_state()
    with model.untouched():
        letters = model.option_logits(asked)
    torch.testing.assert_close(letters, GraphLLM(tiny_lm(), FRAME, None).option_logits(QuestionBatch(BODIES)))
    torch.testing.assert_close(model.option_logits(asked), found.logits)


def test_an_option_head_without_ends_is_an_error() -> None:
    with pytest.raises(GraphLLMError, match="reads options where they end, and no ends are given"):
        GraphLLM(tiny_lm(), FRAME, None, option_head=option_head()).option_logits(QuestionBatch(BODIES))
    own = GraphLLM(tiny_lm(), FRAME, None, option_head=option_head())
    with pytest.raises(GraphLLMError, match="and no letter of an answer"):
        own.answer(QuestionBatch(BODIES, ends=ENDS), torch.tensor([0, 1, 1]), "answer")


@pytest.mark.parametrize("lora", [False, True])
def test_training_changes_the_reader_and_the_adapters_and_nothing_else(lora: bool) -> None:
    lm = tiny_lm()
    before = {name: tensor.clone() for name, tensor in lm.state_dict().items()}
    for tensor in lm.parameters():
        tensor.requires_grad_(False)
    wrapped = add_lora(lm, LoraOptions(r=2, dropout=0.0)) if lora else lm
    model = GraphLLM(wrapped, FRAME, reader())
    own = {name: tensor.clone() for name, tensor in model.own_state().items()}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.train()
    from models.graph.batches import batch_of

    for _ in range(2):
        tokens = model.reader(batch_of(graph(), torch.tensor([[[0, 1]], [[1, 2]], [[3, -1]]])))
        model.answer(QuestionBatch(BODIES, tokens), torch.tensor([0, 1, 2]), "answer").loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    after = {name.replace(".base_layer", ""): tensor for name, tensor in lm.state_dict().items()}
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    # Of A and B both have moved after two steps; B is zero at first.
    assert all(not torch.equal(tensor, own[name]) for name, tensor in model.own_state().items())
    assert any("lora_" in name for name in own) == lora


def test_the_head_is_computed_again_once_adapters_have_changed() -> None:
    lm = tiny_lm()
    for tensor in lm.parameters():
        tensor.requires_grad_(False)
    model = GraphLLM(add_lora(lm, LoraOptions(r=2, dropout=0.0)), FRAME, None)
    before = model.option_logits(QuestionBatch(BODIES)).detach()
    model.train()
    with torch.no_grad():
        for tensor in model.own_state().values():
            tensor.add_(0.5)
    in_training = model.option_logits(QuestionBatch(BODIES)).detach()
    model.eval()
    torch.testing.assert_close(model.option_logits(QuestionBatch(BODIES)), in_training, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before, in_training)
    with model.untouched():
        torch.testing.assert_close(model.option_logits(QuestionBatch(BODIES)), before, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.option_logits(QuestionBatch(BODIES)), in_training, rtol=1e-4, atol=1e-5)


def test_adapters_for_layers_that_a_model_has_not_are_refused() -> None:
    with pytest.raises(LoraError, match=r"no linear layer 'q_prj'; did you mean 'q_proj'\?"):
        add_lora(tiny_lm(), LoraOptions(target_modules=["q_prj"]))


def test_a_subgraph_is_read_once_however_many_samples_ask_for_it() -> None:
    own = reader()
    centres = torch.tensor([[[0, 1]], [[1, -1]], [[-1, -1]]])
    tokens = own.read_all(graph(), centres, "star", 1, at_once=1)
    assert tokens.table.shape == (2, HIDDEN)
    assert tokens.places.tolist() == [[0, 1], [1, -1], [-1, -1]]
    from models.graph.batches import batch_of

    together = own(batch_of(graph(), centres))
    torch.testing.assert_close(tokens.table, together.table)
    assert tokens.places.tolist() == together.places.tolist()


def test_tokens_are_as_long_as_the_words_beside_them_on_average_and_point_as_projected() -> None:
    from models.graph.batches import batch_of

    words = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.bfloat16)
    assert mean_length(words) == (5 + 1) / 2
    free, centres = reader(), torch.tensor([[1, 0]])
    fixed = GraphReader(free.encoder, free.projector, length=mean_length(words))
    found, projected = (one(batch_of(graph(), centres)).table for one in (fixed, free))
    torch.testing.assert_close(found, projected * (3 / projected.norm(dim=1, keepdim=True)))
    torch.testing.assert_close(fixed.read_all(graph(), centres, "star", 1).table, found)


def test_samples_that_ask_for_nothing_read_nothing() -> None:
    tokens = reader().read_all(graph(), torch.full((2, 1, 3), -1), "star", 1)
    assert tokens.table.shape == (0, HIDDEN)
    assert [len(one) for one in tokens.of_each("per_subgraph")] == [0, 0]


def test_the_last_state_is_what_the_output_layer_reads() -> None:
    lm = tiny_lm()
    model = GraphLLM(lm, FRAME, None)
    logits = lm.get_output_embeddings()(model.last_hidden(QuestionBatch(BODIES, soft())))
    torch.testing.assert_close(logits[:, list(FRAME.options)], model.option_logits(QuestionBatch(BODIES, soft())))


def test_what_is_written_first_is_the_likeliest_token() -> None:
    lm = tiny_lm()

    class Numbers:
        pad_token_id = 0

        def batch_decode(self, ids: torch.Tensor, skip_special_tokens: bool) -> list[str]:
            return [str(row[0].item()) for row in ids]

    likeliest = [str(int(written_out(lm, body, torch.empty(0, HIDDEN))[-1].argmax())) for body in BODIES]
    assert GraphLLM(lm, FRAME, None).generate(QuestionBatch(BODIES), 1, Numbers()) == likeliest


def test_a_model_without_keys_and_values_is_refused() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    lm = MambaForCausalLM(MambaConfig(vocab_size=60, hidden_size=8, num_hidden_layers=1)).eval()
    with pytest.raises(GraphLLMError, match="MambaForCausalLM keeps no keys and values"):
        GraphLLM(lm, FRAME, None).option_logits(QuestionBatch(BODIES))


def test_states_of_a_layer_norm_in_float32_are_read_in_the_models_precision() -> None:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=60, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    lm = GPTNeoXForCausalLM(config).to(torch.bfloat16).eval()
    # As autocast does on CUDA, where a layer norm is computed in float32.
    lm.gpt_neox.final_layer_norm.register_forward_hook(lambda layer, given, found: found.float())
    model = GraphLLM(add_lora(lm, LoraOptions(r=2, target_modules=["query_key_value"])), FRAME, None).train()
    model.answer(QuestionBatch(BODIES), torch.tensor([0, 1, 2]), "answer").loss.backward()
    # Of A and B.
    grads = [tensor.grad for tensor in model.parameters() if tensor.grad is not None]
    assert [bool(torch.isfinite(grad).all()) for grad in grads] == [True, True]
