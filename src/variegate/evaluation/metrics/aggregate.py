"""Aggregate one value per sample over each condition: the best, the mean, the ten best, the best of fewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from ...runs.measured import Better, Measured, Protocol

TOP = 10  # samples of `_top10`
OF_FEWER = "_best_of_"  # joins a measure's name and n in the names of a curve's points
CHOICE = "the best samples are chosen for each measure by itself"


class Aggregation(NamedTuple):
    """Weights (S,) for the samples of a condition, ordered from best to worst; they sum to 1."""

    weights: Tensor
    words: str


def aggregations(samples: int) -> dict[str, Aggregation]:
    """`best` and `mean`, `top10` if there are more than ten samples, and `best_of_n` for n = 2, 4, 8, ... < S.

    `best_of_n` is the expected best of n of the S samples drawn without replacement, exact: the sample of rank i
    (0 is best) is the best of C(S - 1 - i, n - 1) of the C(S, n) subsets. n = 1 would be the mean, n = S the best.
    """
    found = {
        "best": Aggregation(best_of(samples, samples), f"best of {samples} samples"),
        "mean": Aggregation(best_of(1, samples), f"mean of {samples} samples"),
    }
    if samples > TOP:
        words = f"mean of the {TOP} best of {samples} samples"
        found[f"top{TOP}"] = Aggregation((torch.arange(samples) < TOP).double() / TOP, words)
    n = 2
    while n < samples:
        words = f"expected best of {n} samples, over all subsets of {samples} (exact)"
        found[f"best_of_{n}"] = Aggregation(best_of(n, samples), words)
        n *= 2
    return found


def best_of(n: int, samples: int) -> Tensor:
    """Probability (S,) that the sample of each rank is the best of n samples drawn without replacement."""
    return torch.tensor([comb(samples - 1 - rank, n - 1) / comb(samples, n) for rank in range(samples)]).double()


def rank(values: Tensor, better: Better) -> Tensor:
    """Indices of the samples from best to worst: (conditions, S) to (conditions, S)."""
    return values.argsort(dim=-1, descending=better == "higher", stable=True)


def aggregate(name: str, values: Tensor, unit: str, better: Better, protocol: Protocol) -> dict[str, Measured]:
    """`<name>_best`, `<name>_mean`, ... of values (conditions, S), as means over conditions.

    Args:
        protocol: the protocol without the aggregation; its `metric` describes the value of one sample.
    """
    ordered = values.double().gather(-1, rank(values, better))
    results = {}
    for kind, one in aggregations(values.shape[1]).items():
        column = (ordered @ one.weights).tolist()
        record = complete_protocol(protocol, f"{name}_{kind}", one, len(values), values.shape[1])
        results[record.name] = Measured.mean(column, unit=unit, better=better, protocol=record)
    return results


def complete_protocol(protocol: Protocol, name: str, how: Aggregation, inputs: int, samples: int) -> Protocol:
    """A protocol completed with its aggregation."""
    notes = protocol.notes if name.endswith("_mean") else (CHOICE, *protocol.notes)
    metric = f"{protocol.metric}; {how.words}"
    changes = {"name": name, "metric": metric, "inputs": inputs, "samples": samples, "notes": notes}
    return protocol.model_copy(update=changes)


def curves(measured: Mapping[str, Measured]) -> Iterator[tuple[str, list[tuple[int, Measured]]]]:
    """Each metric that has a curve, with its values for n = 1, 2, 4, ..., S samples."""
    fewer = [name for name in measured if OF_FEWER in name]
    for measure in dict.fromkeys(name.partition(OF_FEWER)[0] for name in fewer):
        own = [name for name in fewer if name.partition(OF_FEWER)[0] == measure]
        points = [(int(name.partition(OF_FEWER)[2]), measured[name]) for name in own]
        whole = measured[f"{measure}_best"]
        assert whole.protocol.samples is not None, "aggregations record their number of samples"
        yield measure, [(1, measured[f"{measure}_mean"]), *sorted(points), (whole.protocol.samples, whole)]
