"""Conditional flow matching: the modern anchor. Lipman et al., ICLR 2023; Liu, Gong, Liu, ICLR 2023.

Where the code enters    the code is the noise that an ordinary differential equation carries to the image
What prevents collapse   the velocity is the mean over all images that pass a point, which is the right answer here: the
                         equation then reproduces the whole distribution
Differs from the papers  a small U-Net (about 1.2 million weights) on patches of 2x2; label maps and images enter by
                         spatially adaptive normalisation; weights are averaged for sampling
"""

from __future__ import annotations

from ..core.config import Schedule, Training
from ..core.method import Method
from ..generators.flow import FlowConfig
from ..objectives.flow_matching import FlowMatchingConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

WIDTHS = (32, 64, 96)


@preset
def flow(scale: float = 1.0) -> Method:
    """Conditional flow matching: noise is carried to images by a learned velocity."""
    return Method(
        name="flow",
        paper="Lipman et al.: Flow matching for generative modeling. ICLR 2023; Liu, Gong, Liu: Flow straight and "
        "fast. ICLR 2023",
        summary="an ordinary differential equation carries noise to images; its velocity is learned by regression",
        condition="anything -> image; also images alone",
        generator=FlowConfig(widths=tuple(max(8, round(width * scale / 8) * 8) for width in WIDTHS)),
        randomness=NoRandomnessConfig(),
        objective=FlowMatchingConfig(),
        training=Training(
            steps=20_000,
            batch_size=8,
            learning_rate={"generator": 1e-3},
            betas=(0.9, 0.99),
            schedule=Schedule(kind="linear", warmup_steps=100),
            ema_decay=0.999,
            clip_norm=1.0,
            keep="best",
        ),
    )
