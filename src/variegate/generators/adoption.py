"""From a network trained without noise to one with noise.

Cascaded refinement networks (Li et al., ICCV 2019), as in the released code: of several heads the first is kept, and
the first convolution of every level gets the noise's input channels after its own, filled with normal noise of five
times the RMS of its weights. Layers that read only noise, such as the noise encoder, stay unchanged.

Moment predictors, which is ours: the last layer keeps its first outputs, the centre, and noise is all but unheard.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Weights = dict[str, Tensor]
STRENGTH = 5.0  # standard deviation of new weights relative to the RMS of the old
# factor of a predictor's new weights: at 0, where all samples are equal, their dispersion has no gradient
FAINT = 0.01


def with_noise(weights: Weights, own: Weights) -> Weights:
    """Convert the weights of a network without noise.

    Args:
        weights: state of a network whose levels read no code.
        own: state of the network to load them into, which supplies values for new parameters.

    Returns:
        The state for `own`, or `weights` unchanged if they are not such a network's: either they fit `own` already, or
        loading them will report what does not fit.
    """
    if weights.keys() == own.keys() or any(reads_code(name) for name in weights):
        return weights
    found = {plain(name): value for name, value in weights.items()}
    if found.keys() != {plain(name) for name in own if not name.startswith("randomness.")}:
        return weights
    return {name: fit(found[plain(name)], value) if plain(name) in found else value for name, value in own.items()}


def reads_code(name: str) -> bool:
    """Whether a parameter belongs to the randomness, or to a layer of a level that reads the code."""
    return name.startswith("randomness.") or (".inner." in name and not name.startswith("stages.output."))


def plain(name: str) -> str:
    """The parameter's name in a layer that reads no code."""
    return name.replace(".inner.", ".")


def fit(old: Tensor, own: Tensor) -> Tensor:
    """Weights in the shape of `own`: the first head, new inputs after the old ones; unchanged if neither applies."""
    if len(old) != len(own) and len(old) % len(own) == 0:
        old = old[:: len(old) // len(own)]  # 9 R, 9 G, 9 B: channels 0, 9, 18
    if old.ndim < 2 or old.shape[0] != own.shape[0] or old.shape[1] >= own.shape[1]:
        return old
    shape = (len(old), own.shape[1] - old.shape[1], *old.shape[2:])
    noise = torch.randn(shape) * STRENGTH * old.square().mean().sqrt()
    return torch.cat([old, noise.to(old)], dim=1)


def centre_weights(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Weights:
    """Weights with which a network outputs what a predictor's backbone outputs first, the centre.

    Args:
        weights: state of the backbone, which reads no code and outputs a dispersion after the centre.
        own: state of a network of the same layers without dispersion, which may read noise after a layer's own inputs.
    """
    found = {plain(name): value for name, value in weights.items()}
    return {name: cut(found[plain(name)], value) if plain(name) in found else value for name, value in own.items()}


def cut(old: Tensor, own: Tensor) -> Tensor:
    """The first channels of `old` as far as `own` has them; what only `own` has becomes faint."""
    common = tuple(slice(min(sides)) for sides in zip(old.shape, own.shape))
    new = own * FAINT if old.shape != own.shape else own.clone()
    new[common] = old[common]
    return new
