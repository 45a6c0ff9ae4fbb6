"""Who waits, who is dropped, who is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from variegate.core.errors import DataError
from variegate.core.interfaces import Features
from variegate.model.model import Model
from variegate.studio.sampling_queue import MOST_WAITING, Dropped, Order, SamplingQueue
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
    return Order(torch.zeros(1, 16, 16, dtype=torch.uint8), model.codes(n, seed), turn)


def wait_for_a_pass(passes: list[int]) -> None:
    until = time.monotonic() + 20
    while not passes:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_newer_request_replaces_one_that_waits(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    queue = SamplingQueue(model, passes.append)
    first = queue.submit(order(model, 4, ("someone else's", 9)))
    old, new = (queue.submit(order(model, 4, ("mine", seed), seed)) for seed in (1, 2))
    go.set()
    with pytest.raises(Dropped):  # it has come late
        queue.submit(order(model, 4, ("mine", 1), 1))
    assert len(first.result(20)) == len(new.result(20)) == 4
    with pytest.raises(Dropped):
        old.result(20)
    assert passes == [4, 4]
    queue.close()


def test_one_that_runs_stops_within_its_pass() -> None:
    model, entered = Model.load(Path("street")), threading.Event()

    def endless(features: Features, code: Tensor) -> Tensor:
        while True:  # as a PixelCNN of large images, nearly
            entered.set()
            code = code + 1

    model.generator.decode = endless  # type: ignore[method-assign]
    queue = SamplingQueue(model)
    long = order(model, 64)
    result = queue.submit(long)
    assert entered.wait(20)
    queue.drop(long)
    with pytest.raises(Dropped):
        result.result(20)
    queue.close()


def test_requests_share_passes(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    queue = SamplingQueue(model, passes.append)
    first = queue.submit(order(model, 1))
    wait_for_a_pass(passes)
    others = [queue.submit(order(model, 1, seed=seed)) for seed in range(1, 9)]
    go.set()
    for one in (first, *others):
        assert one.result(20).shape == (1, 3, 16, 16)
    assert passes == [1, 4, 4]
    queue.close()


def test_too_many_are_refused_with_a_time(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    queue = SamplingQueue(model, passes.append)
    queue.submit(order(model, 4))
    wait_for_a_pass(passes)
    waiting = [queue.submit(order(model, 64)) for _ in range(MOST_WAITING // 64)]
    with pytest.raises(Refusal) as refused:
        queue.submit(order(model, 1))
    assert refused.value.status == 429
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    for one in waiting:
        one.cancel()
    go.set()
    queue.close()
    assert passes == [4]


def test_a_refused_request_replaces_nothing(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, passes = held
    queue = SamplingQueue(model, passes.append)
    queue.submit(order(model, 4))
    wait_for_a_pass(passes)
    kept = queue.submit(order(model, 4, ("mine", 1)))
    for _ in range(MOST_WAITING // 64 - 1):
        queue.submit(order(model, 64))
    queue.submit(order(model, 60))
    with pytest.raises(Refusal):
        queue.submit(order(model, 8, ("mine", 2)))
    go.set()
    assert len(kept.result(60)) == 4
    queue.close()


def test_a_pass_that_fails_fails_its_own_sender() -> None:
    model = Model.load(Path("street"))
    decode = model.generator.decode

    def choosy(features: Features, code: Tensor) -> Tensor:
        if (code == 0).all(dim=1).any():
            raise RuntimeError("a code of zeros")
        return decode(features, code)

    model.generator.decode = choosy  # type: ignore[method-assign]
    queue = SamplingQueue(model)
    wrong = order(model, 1)
    wrong.codes = torch.zeros(1, model.generator.code_size)
    busy = queue.submit(order(model, 4))
    broken, good = queue.submit(wrong), queue.submit(order(model, 2))  # these share a pass
    with pytest.raises(RuntimeError, match="a code of zeros"):
        broken.result(20)
    assert [len(one.result(20)) for one in (busy, good)] == [4, 2]
    assert queue.alive
    queue.close()


def test_closing_finishes_what_waits_and_refuses_more(held: tuple[Model, threading.Event, list[int]]) -> None:
    model, go, _ = held
    queue = SamplingQueue(model)
    result = queue.submit(order(model, 6))
    go.set()
    queue.close()
    assert len(result.result(0)) == 6
    with pytest.raises(Refusal, match="shutting down"):
        queue.submit(order(model, 1))


def test_a_fault_reaches_its_sender_and_no_one_else() -> None:
    model = Model.load(Path("street"))
    queue = SamplingQueue(model)
    first = queue.submit(order(model, 4))
    wrong = Order(torch.full((1, 16, 16), 200, dtype=torch.uint8), model.codes(2))
    broken, good = queue.submit(wrong), queue.submit(order(model, 2))  # these share a pass
    with pytest.raises(DataError, match="label id 200"):
        broken.result(20)
    assert [len(one.result(20)) for one in (first, good)] == [4, 2]
    queue.close()
