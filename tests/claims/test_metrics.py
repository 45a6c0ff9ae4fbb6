"""Faults of samples are what they are called, and metrics are judged by whether they notice them."""

from __future__ import annotations

import pytest
import torch
from benchmarks import table
from benchmarks.metrics import __main__ as command
from benchmarks.metrics import faults
from torch import Tensor

from variegate.data import open_data
from variegate.data.streets.factors import read
from variegate.evaluation.measuring.drawn import Drawn


@pytest.fixture(scope="module")
def made() -> dict[str, Drawn]:
    """Samples with every fault, and true ones under "true"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "LAYOUTS", 4)
        training = open_data("streets:60", 32)
        held = training.of_split("test")
        makers = {"true": faults.true, **faults.FAULTS}
        return {name: faults.drawn(make, held, training, 0) for name, make in makers.items()}


def times(samples: Drawn) -> Tensor:
    """The time of day of every sample, -1 where it cannot be read."""
    held = open_data("streets:60", 32).of_split("test")
    each = [read(images.float() / 127.5 - 1, held.raw(i)[0]).factors[:, 0] for i, images in enumerate(samples.samples)]
    return torch.stack(each)


def test_samples_have_the_fault_they_are_named_after(made: dict[str, Drawn]) -> None:
    for name, samples in made.items():
        assert [images.shape for images in samples.samples] == [(faults.SAMPLES, 3, 32, 32)] * 4, name
        assert all(images.dtype == torch.uint8 for images in samples.samples), name
    assert times(made["true"]).unique().tolist() == [0, 1, 2]
    assert times(made["always day"]).unique().tolist() == [0]
    assert len(times(made["one look"]).unique()) == 1
    looks = times(made["nine looks"])
    assert torch.equal(looks, looks[:1].expand_as(looks)), "the same looks on every layout"
    assert (times(made["averaged"]) < 0).any()
    true, soft = (made[name].samples[0].float() for name in ("true", "blurred"))
    assert soft.diff(dim=-1).abs().mean() < 0.7 * true.diff(dim=-1).abs().mean()
    assert made["grain"].samples[0].float().diff(dim=-1).abs().mean() > true.diff(dim=-1).abs().mean()
    training = open_data("streets:60", 32)
    known = {tuple(training.raw(i)[1].flatten().tolist()) for i in range(len(training))}
    assert all(tuple(image.flatten().tolist()) in known for image in made["training images"].samples[0])


@pytest.mark.parametrize(
    ("better", "value", "seen"),
    [
        ("higher", 0.9, "notices"),
        ("higher", 0.96, ""),
        ("higher", 1.1, "praises"),
        ("lower", 1.1, "notices"),
        ("nearer to 1", 1.2, "notices"),
        ("nearer to 0.5", 0.6, "praises"),
    ],
)
def test_a_fault_is_noticed_beyond_three_deviations(better: str, value: float, seen: str) -> None:
    assert command.seen({"better": better, "true": 1.0, "deviation": 0.02}, value) == seen


def test_small_changes_of_steady_metrics_are_not_noticed() -> None:
    assert command.seen({"better": "higher", "true": 1.0, "deviation": 0.0}, 0.99) == ""


def test_the_table_marks_what_is_noticed_and_praised() -> None:
    row = {
        "better": "higher",
        "true": 0.5,
        "deviation": 0.01,
        "faults": {"blur": {"value": 0.1, "seen": "notices"}, "grain": {"value": 0.9, "seen": "praises"}},
    }
    about = {
        "command": "c",
        "data": "d",
        "seeds": 5,
        "machine": {"processor": "p"},
        "versions": {"python": "3", "torch": "2"},
    }
    text = table.noticed_section({"metrics": {"m": row}, **about})
    assert "| `m` | higher | 0.5 ± 0.01 | **0.1** | *0.9* |" in text
