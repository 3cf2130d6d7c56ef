"""Taps: what a selector means, what is recorded, and that nothing is left behind."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn

from models.transfer.layers import LayerError
from models.transfer.taps import Tap, TapError, Taps
from tests.models.transfer.world import Batch, Recommender, pairs

BATCH = pairs(users=[1, 2, 3], items=[4, 5, 6])


def _handles(model: nn.Module) -> tuple[int, list[str]]:
    """Hooks in all modules, and what stands on the model object itself instead of its class."""
    return sum(len(module._forward_hooks) for module in model.modules()), sorted(
        name for name, value in vars(model).items() if callable(value) and hasattr(type(model), name)
    )


def _calls(model: nn.Module, selector: int | str, batch: Batch = BATCH) -> list[Any]:
    """What a tap saw in one loss: (inputs, output) of each call."""
    taps = Taps(model)
    taps.add([selector])
    with taps.recording():
        model.calculate_loss(batch)
        seen = [(call.args, call.output) for call in taps.fired[0].calls]
    taps.remove()
    return seen


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (9, Tap("9", "9")),
        ("mlp_layers.0", Tap("mlp_layers.0", "mlp_layers.0")),
        ("forward[0]", Tap("forward[0]", "forward", item=0)),
        ("forward[-1]", Tap("forward[-1]", "forward", item=-1)),
        ("mlp_layers:input", Tap("mlp_layers:input", "mlp_layers", io="input")),
        ("item_embedding#2", Tap("item_embedding#2", "item_embedding", call=2)),
        ("gnn.forward[1]:output#3", Tap("gnn.forward[1]:output#3", "gnn.forward", 1, "output", 3)),
    ],
)
def test_a_selector_is_name_item_io_call(selector: int | str, expected: Tap) -> None:
    assert Tap.parse(selector) == expected


@pytest.mark.parametrize("selector", ["", "a#0", "a#", "a:inputs", "a[x]", "a#1:input", "[0]"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(TapError, match="is not a tap"):
        Tap.parse(selector)


def test_a_layer_is_tapped_by_number_and_by_name() -> None:
    model = Recommender()
    by_number, by_name = _calls(model, 4), _calls(model, "layer")
    # User u is (u, 0), and the layer doubles.
    assert by_number[0][1].tolist() == by_name[0][1].tolist() == [[2, 0], [4, 0], [6, 0]]


def test_a_method_that_no_hook_sees_is_tapped() -> None:
    ((args, output),) = _calls(Recommender(), "forward")
    assert [arg.tolist() for arg in args] == [[1, 2, 3], [4, 5, 6]]
    assert output[1].tolist() == [[0, 4], [0, 5], [0, 6]]


@pytest.mark.parametrize("root", [1, "root"])
def test_the_model_itself_is_its_forward_method(root: int | str) -> None:
    model = Recommender()
    taps = Taps(model)
    assert taps.add([root]) == ["Recommender.forward()"]
    with taps.recording():
        model.calculate_loss(BATCH)
        assert len(taps.fired[0].calls) == 1


def test_a_method_of_a_submodule_is_tapped() -> None:
    model = Recommender()
    taps = Taps(model)
    assert taps.add(["layer.forward"]) == ["Linear.forward()"]
    with taps.recording():
        model.calculate_loss(BATCH)
        assert taps.fired[0].call().output.shape == (3, 2)
    taps.remove()
    assert "forward" not in vars(model.layer)


def test_a_glob_is_one_tap_per_layer() -> None:
    model = Recommender()
    taps = Taps(model)
    assert taps.add(["*_embedding"]) == ["layer 2, user_embedding", "layer 3, item_embedding"]
    assert [fired.tap.text for fired in taps.fired] == ["user_embedding", "item_embedding"]


def test_keyword_arguments_are_recorded_too() -> None:
    batch = pairs(users=[1], items=[2], negatives=[7])
    positive, negative = _calls(Recommender(), "items_of", batch)
    assert positive[0][0].tolist() == [2]
    assert negative[0][0].tolist() == [7]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (0, "no layer 0: layers of Recommender start at 1 (the model) and end at 5"),
        (99, "no layer 99: layers of Recommender start at 1"),
        ("-1", "no layer -1"),
        ("laier", "Recommender has no layer or method 'laier'; did you mean 'layer'?"),
        ("item_of", "Recommender has no layer or method 'item_of'; did you mean 'items_of'?"),
        # An attribute that is no method.
        ("n_users", "Recommender has no layer or method 'n_users'"),
        ("x*", "Recommender has no layer or method 'x*'"),
    ],
)
def test_a_target_that_is_not_there_is_refused(selector: int | str, message: str) -> None:
    with pytest.raises(LayerError) as caught:
        Taps(Recommender()).add([selector])
    assert str(caught.value).startswith(message)


def test_a_failing_add_leaves_nothing_behind() -> None:
    model = Recommender()
    before = _handles(model)
    taps = Taps(model)
    with pytest.raises(LayerError):
        taps.add(["layer", "forward", "nothing"])
    assert len(taps) == 0
    assert _handles(model) == before


def test_all_handles_are_taken_away_again() -> None:
    model = Recommender()
    before = _handles(model)
    taps = Taps(model)
    taps.add(["layer", "*_embedding", "forward", "forward[0]"])
    # A second call taps the same method once more, as users: [...] and items: [...] do.
    taps.add(["forward[1]", "items_of"])
    assert _handles(model) == (3, ["forward", "items_of"])
    taps.remove()
    assert _handles(model) == before
    taps.remove()
    assert _handles(model) == before


def test_a_method_that_stood_on_the_object_comes_back() -> None:
    model = Recommender()
    own = model.items_of
    model.items_of = lambda item: own(item)
    kept = vars(model)["items_of"]
    taps = Taps(model)
    taps.add(["items_of"])
    taps.remove()
    assert vars(model)["items_of"] is kept


def test_a_tap_that_did_not_fire_is_an_error() -> None:
    model = Recommender()
    taps = Taps(model)
    taps.add(["unused", "layer.reset_parameters"])
    with taps.recording():
        model.calculate_loss(BATCH)
        layer, method = taps.fired
        with pytest.raises(TapError) as caught:
            layer.call()
        assert str(caught.value) == (
            "the tap 'unused' (layer 5, unused) did not fire: the loss does not call it; "
            "tap the method that computes with it, e.g. 'forward'"
        )
        with pytest.raises(TapError, match=r"the loss does not call it$"):
            method.call()


def test_a_tap_that_fired_twice_has_to_say_which() -> None:
    model = Recommender()
    taps = Taps(model)
    taps.add(["item_embedding", "item_embedding#2", "item_embedding#3"])
    with taps.recording():
        model.calculate_loss(pairs(users=[1], items=[2], negatives=[7]))
        unsaid, second, third = taps.fired
        with pytest.raises(TapError, match="fired 2 times; say which: 'item_embedding#1' or 'item_embedding#2'"):
            unsaid.call()
        assert second.call().output.tolist() == [[0, 7]]
        with pytest.raises(TapError, match="fired 2 times, not 3"):
            third.call()


def test_nothing_is_recorded_outside_a_loss() -> None:
    model = Recommender()
    taps = Taps(model)
    taps.add(["layer", "forward"])
    model.calculate_loss(BATCH)
    with taps.recording():
        assert [fired.calls for fired in taps.fired] == [[], []]


def test_an_error_in_the_loss_drops_what_was_recorded() -> None:
    model = Recommender()
    taps = Taps(model)
    taps.add(["layer", "forward"])

    def fail() -> None:
        with taps.recording():
            model.calculate_loss(BATCH)
            raise FloatingPointError("loss is nan")

    with pytest.raises(FloatingPointError):
        fail()
    assert [fired.calls for fired in taps.fired] == [[], []]


def test_no_tensor_of_a_batch_outlives_it() -> None:
    model = Recommender()
    taps = Taps(model)
    taps.add(["layer", "forward", "tables"])
    with taps.recording():
        model.calculate_loss(BATCH)
        seen = [weakref.ref(call.output) for call in taps.fired[0].calls]
        assert seen[0]() is not None
    gc.collect()
    assert [reference() for reference in seen] == [None]


def test_tapping_changes_no_number() -> None:
    model = Recommender()
    plain = model.calculate_loss(BATCH)
    taps = Taps(model)
    taps.add(["*", "forward", "tables", "stacked", "items_of"])
    with taps.recording():
        assert torch.equal(model.calculate_loss(BATCH), plain)
