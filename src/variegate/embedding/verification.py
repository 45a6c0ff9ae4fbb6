"""Is it the same person? How well an embedding's distances separate pairs of one person from pairs of two."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from ..core.errors import ConfigError, DataError
from ..runs.measured import Measured, Protocol, libraries


def require() -> None:
    """Raise ConfigError unless scikit-learn is installed."""
    if find_spec("sklearn") is None:
        raise ConfigError("evaluating an embedding needs scikit-learn; run pip install 'variegate[evaluation]'")


def same_person_auc(vectors: Tensor, people: Tensor, protocol: Protocol) -> Measured:
    """Area under the ROC curve of -|a - b| over all pairs: 0.5 is chance level, 1 is perfect.

    It is the probability that two images of one person are closer to each other than two of different people.

    Args:
        vectors: (N, D).
        people: (N,) the person in each image.
        protocol: what was measured; the pairs are added here.

    Raises:
        DataError: not both kinds of pairs exist, or values are not finite.
        ConfigError: scikit-learn is not installed.
    """
    require()
    from sklearn.metrics import roc_auc_score

    first, second = torch.triu_indices(len(people), len(people), offset=1)
    same = people[first] == people[second]
    if bool(same.all()) or not bool(same.any()):
        raise DataError(f"{protocol.name}: needs at least two people, and two images of one of them")
    if not bool(vectors.isfinite().all()):
        raise DataError(f"{protocol.name}: the embedding gives NaN or infinity; check its input and training")
    distance = torch.cdist(vectors.double(), vectors.double(), compute_mode="donot_use_mm_for_euclid_dist")
    area = float(roc_auc_score(same.numpy(), -distance[first, second].numpy()))
    changes = {
        "metric": "area under the ROC curve: pairs of one person against pairs of two, by Euclidean distance",
        "libraries": libraries("scikit-learn", "torch"),
        "inputs": len(people.unique()),
        "pairs": f"all: {int(same.sum())} of one person, {int((~same).sum())} of two",
    }
    record = protocol.model_copy(update=changes)
    return Measured(value=area, n=len(people), unit="probability", better="higher", protocol=record)
