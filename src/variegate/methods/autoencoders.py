"""Auto-encoders: one encoder, with a PixelCNN or a squared-error decoder. Van den Oord et al., NIPS 2016, section 3.4.

Where the code enters    pixelcnn-autoencoder: every colour of every pixel is sampled; conv-autoencoder: nowhere
What prevents collapse   pixelcnn-autoencoder: exact likelihood; conv-autoencoder averages what its vector leaves open
Not in the paper         all sizes but the vector's, 10 or 100; the encoder is that of public code with a linear
                         vector; the learning rate is warmed up over 100 batches, since RMSProp's first steps are ten
                         times as long as later ones and may leave only dead ReLUs
"""

from __future__ import annotations

from ..core.config import Schedule, Training
from ..core.errors import ConfigError
from ..core.method import Method
from ..generators.autoencoder import AutoencoderConfig
from ..objectives.squared_error import SquaredErrorConfig
from ..randomness.none import NoRandomnessConfig
from .pixelcnn import gated_pixelcnn
from .registry import preset

CONDITION = "plain images; each is its own condition"


@preset
def pixelcnn_autoencoder(
    bottleneck: int = 10,
    layers: int = 8,
    width: int = 48,
    filter: int = 3,
    bits: int = 8,
    encoder_scale: float = 1.0,
) -> Method:
    """The vector says what the image shows and the decoder samples the rest: many images per vector."""
    if bottleneck < 1:
        raise ConfigError(f"--bottleneck must be at least 1, got {bottleneck}: the decoder would read the image itself")
    base = gated_pixelcnn(layers, width, filter, bits)
    changes = {
        "name": "pixelcnn-autoencoder",
        "summary": "an image through a short vector, and many images of that vector",
        "condition": CONDITION,
        "generator": base.generator.model_copy(update={"bottleneck": bottleneck, "encoder_scale": encoder_scale}),
        "derived": "self",
        "training": base.training.model_copy(update={"schedule": Schedule(warmup_steps=100)}),
    }
    return base.model_copy(update=changes)


@preset
def conv_autoencoder(bottleneck: int = 10, encoder_scale: float = 1.0, maps: int = 50) -> Method:
    """The baseline: one image per vector, the average of those it may stand for."""
    return Method(
        name="conv-autoencoder",
        paper="Masci et al.: Stacked convolutional auto-encoders for hierarchical feature extraction. ICANN 2011",
        summary="an image through a short vector by squared error: one blurred image of that vector",
        condition=CONDITION,
        derived="self",
        generator=AutoencoderConfig(bottleneck=bottleneck, encoder_scale=encoder_scale, maps=maps),
        randomness=NoRandomnessConfig(),
        objective=SquaredErrorConfig(),
        training=Training(batch_size=16, learning_rate={"generator": 1e-3}, betas=(0.9, 0.999), keep="best"),
    )
