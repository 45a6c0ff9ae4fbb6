"""Stochastic conditional generative networks with basis decomposition. Wang, Cheng, Sapiro, Qiu, 2019.

Where the code enters    the second convolution of every residual block: filters = sampled bases x learned coefficients
What prevents collapse   no added loss; a code changes what the filters compute, which the network cannot easily undo
Differs from the paper   which of the two convolutions is sampled, which layers of pix2pixHD and of the inpainting
                         network are, and the activation of the basis generator (ReLU), are not stated there; K = 5 as
                         in the text; a code can be given, so samples can be repeated

Also the same filters in the paper's other host networks, its combination with DSGAN and its ablation. Each host keeps
its own training settings; the paper states none.
"""

from __future__ import annotations

from ..core.method import Method
from ..generators.inpainter import InpainterConfig
from ..generators.resnet import ResNetConfig
from ..objectives.adversarial import AdversarialConfig, Seeking
from ..randomness.basis_filters import BasisFiltersConfig
from ..randomness.whole_filters import WholeFiltersConfig
from .mode_seeking import INPAINTING, inpainting_objective
from .pix2pix import TRAINING
from .pix2pixhd import pix2pixhd
from .registry import preset

PAPER = "Wang, Cheng, Sapiro, Qiu: Stochastic conditional generative networks with basis decomposition. 2019"


@preset
def basisgan(width: int = 64, blocks: int = 9, bases: int = 5) -> Method:
    """pix2pix's ResNet with sampled filters."""
    return Method(
        name="basisgan",
        paper=PAPER,
        summary="GAN + L1 over sampled convolution filters; many images from a small change to the generator",
        condition="pairs: label map or image -> image",
        generator=ResNetConfig(width=width, blocks=blocks),
        randomness=BasisFiltersConfig(bases=bases),
        objective=AdversarialConfig(width=width),
        training=TRAINING,
    )


@preset
def filtergan(width: int = 64, blocks: int = 9) -> Method:
    """Whole filters generated from the code, without a basis, as in section 3 and figure A.1 of the paper."""
    changes = {
        "name": "filtergan",
        "summary": "whole filters are drawn, not bases: a hundred times the parameters, filters of few dimensions",
        "randomness": WholeFiltersConfig(),
    }
    return basisgan(width, blocks).model_copy(update=changes)


@preset
def basisgan_dsgan(width: int = 64, blocks: int = 9, bases: int = 5) -> Method:
    """With DSGAN's term and L1 weight; one code for all layers, so that code distance measures the whole change.

    Losses, discriminator and training are pix2pix's, as for `basisgan`; the paper joins the two for inpainting only.
    """
    changes = {
        "name": "basisgan-dsgan",
        "summary": "BasisGAN, and images of two codes are rewarded for differing",
        "randomness": BasisFiltersConfig(bases=bases, shared=True),
        "objective": AdversarialConfig(
            reconstruction=10, seeking=Seeking(kind="dsgan", weight=8, judge_both=False), width=width
        ),
    }
    return basisgan(width, blocks, bases).model_copy(update=changes)


@preset
def basisgan_autoencoder(width: int = 64, blocks: int = 9, bases: int = 5) -> Method:
    """The stochastic auto-encoder: an image to itself, without pairs; sampled filters keep it from the identity."""
    changes = {
        "name": "basisgan-autoencoder",
        "summary": "from an image to variants of itself; needs no pairs",
        "condition": "plain images; each is its own condition",
        "derived": "self",
    }
    return basisgan(width, blocks, bases).model_copy(update=changes)


@preset
def basisgan_hd(width: int = 64, blocks: int = 9, bases: int = 5, fine: bool = False) -> Method:
    """pix2pixHD's global network (and its enhancer) with sampled filters in the residual blocks of the former."""
    host = pix2pixhd(width, blocks, fine=fine)
    changes = {
        "name": "basisgan-hd",
        "paper": PAPER,
        "summary": "pix2pixHD over sampled convolution filters",
        "randomness": BasisFiltersConfig(sites=("block*.conv2",), bases=bases),
        "previous": basisgan_hd(width, blocks, bases) if fine else None,
    }
    return host.model_copy(update=changes)


@preset
def basisgan_inpainting(width: int = 64, blocks: int = 9, bases: int = 5, dsgan: bool = False) -> Method:
    """DSGAN's inpainting network with sampled filters instead of its latent vector."""
    return Method(
        name="basisgan-inpainting",
        paper=PAPER,
        summary="many ways to fill a hole; sampled convolution filters",
        condition="plain images; a hole is cut out of each",
        derived="inpaint:centre",
        generator=InpainterConfig(width=width, blocks=blocks),
        randomness=BasisFiltersConfig(bases=bases, shared=dsgan),
        objective=inpainting_objective(width, 5 if dsgan else 0),
        training=INPAINTING,
    )
