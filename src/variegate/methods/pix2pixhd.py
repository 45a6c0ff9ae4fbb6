"""High-resolution image synthesis and semantic manipulation with conditional GANs. Wang et al., CVPR 2018.

Where the code enters    nowhere; or noise maps with the input (`--noise input`), which the papers use as a baseline;
                         a tiled vector would have no effect, since instance norm subtracts constants
What prevents collapse   nothing
Differs from the paper   discriminators move first; no pool of earlier fakes (its size was 0); weights are averaged

`--fine true` trains the global network at half the size first, then the local enhancer around it, with the global
network frozen for the first tenth. Label maps with instance maps get a channel of instance boundaries.
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Hold, Schedule, Training
from ..core.method import Method
from ..generators.pix2pixhd import EnhancerConfig
from ..generators.resnet import ResNetConfig
from ..objectives.adversarial import AdversarialConfig
from ..randomness.noise_maps import NoiseMapsConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

PAPER = "Wang, Liu, Zhu, Tao, Kautz, Catanzaro: High-resolution image synthesis with conditional GANs. CVPR 2018"
TRAINING = Training(
    steps=595_000,  # 2975 street scenes, 100 + 100 epochs
    batch_size=1,
    learning_rate={"generator": 2e-4, "discriminator": 2e-4},
    schedule=Schedule(kind="linear", start=0.5),
    flip=True,
)
# the stages that are trained first
GLOBAL = ("stages.inner*", "stages.down*", "stages.block*", "stages.up*")
FINE = {"steps": 297_500, "hold": Hold(parameters=GLOBAL, until=0.1)}  # 50 + 50 epochs, of which 10 are without them


@preset
def pix2pixhd(width: int = 64, blocks: int = 9, noise: Literal["none", "input"] = "none", fine: bool = False) -> Method:
    """The high-resolution baseline: multi-scale discriminators, feature matching, a perceptual term."""
    whole = ResNetConfig(width=width, downs=4, blocks=blocks, norm="instance")
    return Method(
        name="pix2pixhd",
        paper=PAPER,
        summary="multi-scale GAN + feature matching + perceptual term, coarse to fine; one image each",
        condition="pairs: label map (with instance maps, if there are any) or image -> image",
        generator=EnhancerConfig(width=max(1, width // 2), blocks=blocks) if fine else whole,
        randomness=NoiseMapsConfig(sites=("inner",), channels=8) if noise == "input" else NoRandomnessConfig(),
        objective=objective(width, scales=3 if fine else 2),
        training=TRAINING.model_copy(update=FINE) if fine else TRAINING,
        previous=pix2pixhd(width, blocks, noise) if fine else None,
        previous_scale=2,
    )


def objective(width: int, scales: int) -> AdversarialConfig:
    """LSGAN on several scales, 10 x feature matching, 10 x VGG; no L1."""
    return AdversarialConfig(
        mode="lsgan",
        reconstruction=0,
        feature_matching=10,
        perceptual_weight=10,
        width=width,
        scales=scales,
        padding=2,
        norm="instance",
    )
