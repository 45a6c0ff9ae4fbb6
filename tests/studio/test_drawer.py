"""Who waits, who is dropped, who is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from variegate.core.errors import DataError
from variegate.core.interfaces import Features
from variegate.model.model import Model
from variegate.studio.drawer import MOST_ROWS, Drawer, Dropped, Order
from variegate.studio.security import Refusal


@pytest.fixture
def held() -> Iterator[tuple[Model, threading.Event, list[int]]]:
    """A model whose decoder waits for the event, and the number of images of each of its passes."""
    model, go, passes = Model.load(Path("street")), threading.Event(), []
    decode = model.generator.decode

    def slow(features: Features, code: Tensor) -> Tensor:
        assert go.wait(20)
        return decode(features, code)

    model.generator.decode = slow  # type: ignore[method-assign]
    yield model, go, passes
    go.set()


def order(model: Model, n: int, turn: tuple[str, int] | None = None, seed: int = 0) -> Order:
    return Order(model, torch.zeros(1, 16, 16, dtype=torch.uint8), model.codes(n, seed), turn)


def test_a_newer_request_replaces_one_that_waits(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    drawer = Drawer(passes.append)
    first = drawer.draw(order(model, 4, ("someone else's", 9)))
    old, new = (drawer.draw(order(model, 4, ("mine", seed), seed)) for seed in (1, 2))
    go.set()
    with pytest.raises(Dropped):  # it has come late
        drawer.draw(order(model, 4, ("mine", 1), 1))
    assert len(first.result(20)) == len(new.result(20)) == 4
    with pytest.raises(Dropped):
        old.result(20)
    assert passes == [4, 4]
    drawer.close()


def test_one_that_runs_stops_at_its_next_pass(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    drawer = Drawer(passes.append)
    long = order(model, 64)
    result = drawer.draw(long)
    while not passes:
        pass
    drawer.drop(long)
    go.set()
    with pytest.raises(Dropped):
        result.result(20)
    assert passes == [4]
    drawer.close()


def test_requests_share_passes(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    drawer = Drawer(passes.append)
    first = drawer.draw(order(model, 1))
    while not passes:
        pass
    others = [drawer.draw(order(model, 1, seed=seed)) for seed in range(1, 9)]
    go.set()
    for one in (first, *others):
        assert one.result(20).shape == (1, 3, 16, 16)
    assert passes == [1, 4, 4]
    drawer.close()


def test_too_many_are_refused_with_a_time(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    drawer = Drawer(passes.append)
    drawer.draw(order(model, 4))
    while not passes:
        pass
    waiting = [drawer.draw(order(model, 64)) for _ in range(MOST_ROWS // 64)]
    with pytest.raises(Refusal) as refused:
        drawer.draw(order(model, 1))
    assert refused.value.status == 429
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    for one in waiting:
        one.cancel()
    go.set()
    drawer.close()
    assert passes == [4]


def test_closing_finishes_what_waits_and_refuses_more(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, _ = held
    drawer = Drawer()
    result = drawer.draw(order(model, 6))
    go.set()
    drawer.close()
    assert len(result.result(0)) == 6
    with pytest.raises(Refusal, match="shutting down"):
        drawer.draw(order(model, 1))


def test_a_fault_reaches_its_sender_and_no_one_else() -> None:
    model = Model.load(Path("street"))
    drawer = Drawer()
    first = drawer.draw(order(model, 4))
    wrong = Order(model, torch.full((1, 16, 16), 200, dtype=torch.uint8), model.codes(2))
    broken, good = drawer.draw(wrong), drawer.draw(order(model, 2))  # these share a pass
    with pytest.raises(DataError, match="label id 200"):
        broken.result(20)
    assert [len(one.result(20)) for one in (first, good)] == [4, 2]
    drawer.close()
