"""`--accumulate` needs the memory of one micro-batch, and is refused where parts would learn something else."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.runs import settings, start
from variegate.core.errors import ConfigError
from variegate.generators.staged import Staged
from variegate.training.loop import one_step, stream
from variegate.training.start import RunConfig
from variegate.training.state import State

T = TypeVar("T")
INSTANCE = {"generator.norm": "instance", "objective.norm": "instance", "noise": "input"}
MRGAN = {"generator.norm": "instance", "objective.norm": "instance", "generator.depth": 4, "width": 16}


class Peak(TorchDispatchMode):
    """The largest number of bytes that tensors made inside it have at once."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if id(storage) not in self.live:
                    self.live[id(storage)] = storage.nbytes()
                    weakref.finalize(storage, self.live.pop, id(storage), 0)
        self.peak = max(self.peak, sum(self.live.values()))
        return result


def second_step(config: RunConfig, watch: AbstractContextManager[T]) -> T:
    """Take two steps, and watch the second: the first one also makes the optimisers' states."""
    fabric, pairs = config.run.fabric(), config.data.open()
    state, training = State(config.method, pairs.shapes, config.run, None), config.method.training
    state.set_up(fabric, training)
    batches = islice(stream(pairs, config.method, config.run, fabric, 0), 2)
    one_step(fabric, state, next(batches), training, 0)
    batch = next(batches)
    with watch as watched:
        one_step(fabric, state, batch, training, 0)
    return watched


@pytest.mark.parametrize(("name", "options"), [("pix2pix", INSTANCE), ("bicyclegan", {}), ("mrgan", MRGAN)])
def test_memory_hardly_grows_with_the_number_of_micro_batches(name: str, options: dict[str, Any]) -> None:
    """Only images and losses wait for the next move; also where a discriminator moves before its generator."""

    def peak(size: int, parts: int) -> int:
        config = settings(name, 2, {"width": 8, **options, "batch_size": size}, accumulate=parts)
        return second_step(config, Peak()).peak

    assert peak(32, 4) - peak(16, 2) < 0.15 * (peak(32, 1) - peak(16, 1))


@pytest.mark.parametrize(
    ("name", "options", "times"), [("pix2pix", INSTANCE, 2), ("bicyclegan", {}, 1), ("mrgan", MRGAN, 2)]
)
def test_only_images_that_wait_for_a_discriminators_move_are_computed_twice(
    name: str, options: dict[str, Any], times: int
) -> None:
    """MR-GAN judges one image of a condition and learns from several others, each computed once."""
    watch = patch.object(Staged, "decode", autospec=True, side_effect=Staged.decode)
    config = settings(name, 2, {**options, "batch_size": 4}, accumulate=2)
    assert second_step(config, watch).call_count == 2 * times


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pix2pix", {"batch_size": 4}, "pix2pix has batch norm"),
        (
            "pix2pix",
            {**INSTANCE, "batch_size": 3},
            r"--accumulate 2 does not divide the 3 pairs of a batch; give a div",
        ),
        ("munit", {"batch_size": 4}, "munit needs its batch in one piece, since it joins every image with"),
        ("cimle", {"batch_size": 4}, "cimle needs its batch in one piece, since it trains on objective.inner_batch"),
        ("bicyclegan", {"batch_size": 2}, r"1 of the 2 pairs of a batch, which 2 parts .*; give --batch-size 4"),
        (
            "pix2pix",
            {**INSTANCE, "batch_size": 4, "objective.seeking.kind": "msgan"},
            "MSGAN's term divides means over the whole batch",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused_in_a_sentence(
    tmp_path: Path, name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        start(settings(name, 1, options, accumulate=2), tmp_path / "run")
