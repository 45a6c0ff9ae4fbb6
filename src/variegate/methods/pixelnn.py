"""Example-based image synthesis. Bansal, Sheikh, Ramanan, ICLR 2018.

Where the code enters    after a regression: 18 sets of globally nearest training images times four windows are 72
                         outputs, of which the code selects one
What prevents collapse   details are copied from training images, so there is nothing to collapse
Differs from the paper   the regression is a CRN or U-Net, not PixelNet, and its training settings are ours; pixels are
                         described by ImageNet's VGG-19 (five blocks and the colours), not by a network trained for
                         segmentation, and whole images by its last block, not by AlexNet's conv5
Text, not released code  a pixel copies from the nearest of several images, where the released code takes their
                         weighted mean; all colours change, there only the luminance; descriptors have length 1, there
                         those of a query are divided along a row of pixels; a window of 3 is 3x3. The 72 outputs and
                         their order are those of the code: the text has 1 to 10 images and windows of 1, 3, 5, 10
                         and 96.
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Training
from ..core.method import Method
from ..generators.crn import CRNConfig
from ..generators.pixelnn import PixelNNConfig
from ..generators.unet import UNetConfig
from ..networks.perceptual import PerceptualKind
from ..objectives.moment_reconstruction import MomentReconstructionConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset


@preset
def pixelnn(backbone: Literal["crn", "unet"] = "crn", descriptor: PerceptualKind = "vgg19") -> Method:
    """L2 regression; after training, all training images and their regression are saved with the model."""
    network = CRNConfig() if backbone == "crn" else UNetConfig()
    return Method(
        name="pixelnn",
        paper="Bansal, Sheikh, Ramanan: PixelNN: Example-based image synthesis. ICLR 2018",
        summary="a smooth regression, and details copied pixel by pixel from the nearest training images",
        condition="pairs: any image -> image",
        generator=PixelNNConfig(backbone=network, descriptor=descriptor),
        randomness=NoRandomnessConfig(),
        objective=MomentReconstructionConfig(
            moments=0, proxy=False, samples=1, share=1.0, reconstruction=1.0, distance="l2", adversarial=0.0
        ),
        training=Training(
            steps=100_000,
            batch_size=4,
            learning_rate={"generator": 1e-4},
            betas=(0.9, 0.999),
            ema_decay=0.99,
        ),
    )
