"""Diverse image generation by stochastic regression with latent drop-out codes. He, Schiele, Fritz, ECCV 2018.

Where the code enters    whole channels of one path at half resolution, kept or dropped by the code; or, for comparison,
                         separate filters for every branch after the split (`--architecture separate`), heads at the
                         output (`late`), single elements of the same path (`--dropout element`)
What prevents collapse   of n fixed codes, the nearest to the image is trained on it, and others on neighbours' images
Differs from the paper   images are RGB in [-1, 1], a slightly wider range than the released BGR minus its mean over
                         127; biases have the weights' learning rate and decay; no total variation, whose weight is
                         1e-10; `separate` has the widths of `shared`; `late` keeps the two paths of `shared`, where a
                         CRN has one as wide as both; weights are averaged for sampling

Drop ratio 1/2 is the paper's; the released code for faces has 2/3 (`--randomness.ratio 0.667`). Learning rates fall to
zero by the paper's polynomial; the released code has 500,000 steps in its formula (pets) and a step at 60,000 (faces).
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Schedule, Training
from ..core.errors import ConfigError
from ..core.method import Method, RandomnessConfig
from ..generators.split_crn import SplitCRNConfig
from ..objectives.multiple_choice import MultipleChoiceConfig
from ..randomness.channel_dropout import ChannelDropoutConfig
from ..randomness.element_dropout import ElementDropoutConfig
from ..randomness.heads import HeadsConfig
from .registry import preset

Architecture = Literal["shared", "separate", "late"]
Dropout = Literal["channel", "element"]
Task = Literal["normals", "landmarks"]


@preset
def latent_dropout(
    architecture: Architecture = "shared",
    branches: int | None = None,
    dropout: Dropout = "channel",
    task: Task = "normals",
    scale: float = 1.0,
) -> Method:
    """Multiple-choice regression; animal heads from normals, or faces from landmarks."""
    faces, heads = task == "landmarks", architecture != "shared"
    count = branches if branches is not None else 10 if faces else 20
    if count < 1 + heads:
        raise ConfigError(f"--branches must be at least {1 + heads} with --architecture {architecture}, got {count}")
    if heads and dropout == "element":
        raise ConfigError(f"--dropout element: --architecture {architecture} has no dropout; leave one of them out")
    return Method(
        name="latent-dropout",
        paper="He, Schiele, Fritz: Diverse conditional image generation by stochastic regression with latent drop-out "
        "codes. ECCV 2018",
        summary="regression in which the nearest of n fixed drop-out codes learns; new codes give new images",
        condition="pairs: surface normals, landmarks, label map or image -> image",
        generator=SplitCRNConfig(scale=scale, pyramid="sum" if faces else "mean"),
        randomness=randomness(architecture, dropout, count),
        objective=MultipleChoiceConfig(
            count=count, warm_up=500 if faces else 300, neighbours_from=4000 if faces else 0
        ),
        training=Training(
            steps=90_000 if faces else 110_000,
            batch_size=1,
            learning_rate={"generator": 1e-4},
            betas=(0.9, 0.999),
            weight_decay=5e-4,
            schedule=Schedule(kind="poly", power=0.9),
            ema_decay=0.999,
        ),
    )


def randomness(architecture: Architecture, dropout: Dropout, branches: int) -> RandomnessConfig:
    if architecture == "late":
        return HeadsConfig(heads=branches)
    if architecture == "separate":
        return HeadsConfig(heads=branches, sites=("own*", "fine*", "output"))
    return ElementDropoutConfig(sites=("own*",)) if dropout == "element" else ChannelDropoutConfig()
