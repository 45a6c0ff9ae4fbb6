"""Multimodal unsupervised image-to-image translation. Huang, Liu, Belongie, Kautz, ECCV 2018.

Where the code enters    a style of length 8: a small network maps it to the scale and shift of every channel that the
                         decoder's residual blocks normalise (AdaIN)
What prevents collapse   a style encoder must recover the sampled style from the translated image, and every image must
                         be reconstructed from its own content and style
Differs from the paper   one sample of styles serves both the discriminators' and the generators' update of a step,
                         where the released code draws anew; both images of a step are mirrored together; no running
                         statistics in instance norm; the layer norm has another epsilon; weights are averaged for
                         sampling. The explicit cycle has weight 0, as for edges to shoes and bags; give
                         --objective.cycle 10 for other data
"""

from __future__ import annotations

from ..core.config import Schedule, Training
from ..core.method import Method
from ..generators.content_style import ContentStyleConfig
from ..objectives.munit import MUNITConfig
from ..randomness.adain import AdaINConfig
from .registry import preset

TRAINING = Training(
    steps=1_000_000,
    batch_size=1,
    learning_rate={"generator": 1e-4, "partner": 1e-4, "discriminator": 1e-4},
    weight_decay=1e-4,
    schedule=Schedule(kind="halve", every=0.1),
    flip=True,
)


@preset
def munit(width: int = 64, code_size: int = 8) -> Method:
    """Content of the condition, style from the code; conditions and images need not belong together."""
    return Method(
        name="munit",
        paper="Huang et al.: Multimodal unsupervised image-to-image translation. ECCV 2018",
        summary="unpaired translation: content of the condition, style from the code; `invert` gives an image's style",
        condition="conditions and images that need not belong together",
        unpaired=True,
        generator=ContentStyleConfig(width=width),
        randomness=AdaINConfig(sites=("style*",), size=code_size),
        objective=MUNITConfig(width=width, code_size=code_size),
        training=TRAINING,
    )
