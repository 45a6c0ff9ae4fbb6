"""Stochastic conditional generative networks with basis decomposition. Wang, Cheng, Sapiro, Qiu, 2019.

Where chance enters      the second convolution of every residual block: filters = sampled bases x learned coefficients
What prevents collapse   no added loss; a code changes what the filters compute, which the network cannot easily undo
Differs from the paper   which of the two convolutions is sampled, and the activation of the basis generator (ReLU), are
                         not stated there; K = 5 as in the text; a code can be given, so samples can be repeated
"""

from __future__ import annotations

from ..generators.resnet import ResNetConfig
from ..objectives.adversarial import AdversarialConfig
from ..randomness.basis_filters import BasisFiltersConfig
from .pix2pix import TRAINING
from .preset import Preset


def basisgan(width: int = 64, blocks: int = 9, bases: int = 5) -> Preset:
    """pix2pix's ResNet with sampled filters."""
    return Preset(
        name="basisgan",
        paper="Wang, Cheng, Sapiro, Qiu: Stochastic conditional generative networks with basis decomposition. 2019",
        summary="GAN + L1 over sampled convolution filters; many pictures from a small change to the generator",
        condition="pairs: label map or image -> image",
        generator=ResNetConfig(width=width, blocks=blocks),
        randomness=BasisFiltersConfig(bases=bases),
        objective=AdversarialConfig(width=width),
        training=TRAINING,
    )
