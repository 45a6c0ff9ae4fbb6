"""From a cascaded refinement network trained without noise to one with noise (Li et al., ICCV 2019).

As in the released code: of several heads the first is kept, and the first convolution of every level gets the noise's
input channels after its own, filled with normal noise of five times the RMS of its weights. Layers that read only
noise, such as the noise encoder, stay unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor

Weights = dict[str, Tensor]
STRENGTH = 5.0  # standard deviation of new weights relative to the RMS of the old


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
