"""Conditional flow matching: the modern anchor. Lipman et al., ICLR 2023; Liu, Gong, Liu, ICLR 2023.

Where the code enters    the code is the noise that an ordinary differential equation carries to the image
What prevents collapse   the velocity is the mean over all images that pass a point, which is the right answer here: the
                         equation then reproduces the whole distribution
Differs from the papers  a small U-Net (about 1.2 million weights) on patches of 2x2; label maps and images enter by
                         spatially adaptive normalisation; weights are averaged for sampling. The networks of
                         `--network large-64` and `large-256` are meant for one large GPU, in runs never made yet;
                         docs/scale.md estimates their hours
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Schedule, Training
from ..core.method import Method
from ..generators.flow_config import FlowConfig
from ..objectives.flow_matching import FlowMatchingConfig
from ..randomness.none import NoRandomnessConfig
from .registry import preset

WIDTHS = (32, 64, 96)
# widths, blocks of a level, patch, steps, batch
LARGE: dict[str, tuple[tuple[int, ...], int, int, int, int]] = {
    "large-64": ((128, 256, 384), 2, 1, 200_000, 64),
    "large-256": ((128, 256, 384, 512), 2, 2, 300_000, 32),
}


@preset
def flow(scale: float = 1.0, network: Literal["small", "large-64", "large-256"] = "small") -> Method:
    """Conditional flow matching: noise is carried to images by a learned velocity.

    Two networks override `scale`: for images of 64x64 and of 256x256, on one large GPU.
    """
    generator = FlowConfig(widths=tuple(max(8, round(width * scale / 8) * 8) for width in WIDTHS))
    steps, batch_size, rate = 20_000, 8, 1e-3
    if network in LARGE:
        widths, blocks, patch, steps, batch_size = LARGE[network]
        generator, rate = FlowConfig(widths=widths, blocks=blocks, patch=patch), 2e-4
    return Method(
        name="flow",
        paper="Lipman et al.: Flow matching for generative modeling. ICLR 2023; Liu, Gong, Liu: Flow straight and "
        "fast. ICLR 2023",
        summary="an ordinary differential equation carries noise to images; its velocity is learned by regression",
        condition="anything -> image; also images alone",
        generator=generator,
        randomness=NoRandomnessConfig(),
        objective=FlowMatchingConfig(),
        training=Training(
            steps=steps,
            batch_size=batch_size,
            learning_rate={"generator": rate},
            betas=(0.9, 0.99),
            schedule=Schedule(kind="linear", warmup_steps=100),
            ema_decay=0.999,
            clip_norm=1.0,
            keep="best",
        ),
    )
