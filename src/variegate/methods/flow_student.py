"""A student of a flow: as many different images, each in one pass.

Where the code enters    as in its teacher, `flow`, whose code is the noise (`--matching code`); or a short vector,
                         through a noise encoder (`--matching nearest`), so that styles carry over to other layouts
What prevents collapse   the teacher's images of a condition differ, and each is the target of its own code, or pulls
                         the nearest of many samples
Differs from the papers  images are compared by perceptual distance; there is one round of distillation
"""

from __future__ import annotations

from typing import Literal

from ..core.config import Schedule, Training
from ..core.method import GeneratorConfig, Method, RandomnessConfig
from ..generators.crn import CRNConfig
from ..objectives.distillation import DistillationConfig
from ..randomness.noise_input import NoiseInputConfig
from ..randomness.none import NoRandomnessConfig
from .flow import flow
from .registry import preset

Matching = Literal["code", "nearest"]


@preset
def flow_student(matching: Matching = "code", scale: float = 1.0) -> Method:
    """One pass, taught by a flow."""
    teacher = flow(scale)
    generator, randomness = student(matching, teacher)
    return Method(
        name="flow-student",
        paper="Luhman, Luhman: Knowledge distillation in iterative generative models for improved sampling speed. 2021",
        summary="draws in one pass what a flow, trained first, draws in many",
        condition="anything -> image; also images alone",
        generator=generator,
        randomness=randomness,
        objective=DistillationConfig(matching=matching, images=1 if matching == "code" else 8),
        training=Training(
            steps=1_500,
            batch_size=64 if matching == "code" else 16,
            learning_rate={"generator": 1e-3, "discriminator": 4e-4},
            betas=(0.9, 0.99),
            schedule=Schedule(kind="linear", warmup_steps=100),
            ema_decay=0.999,
            clip_norm=1.0,
        ),
        previous=teacher,
        previous_role="teacher",
    )


def student(matching: Matching, teacher: Method) -> tuple[GeneratorConfig, RandomnessConfig]:
    """The teacher's own network, solved in one step; or a cascade that reads a short vector."""
    same = teacher.generator.in_one_pass()
    if matching == "code" and same is not None:
        return same, NoRandomnessConfig()
    return CRNConfig(widths=(64, 48, 32, 24)), NoiseInputConfig(vector=8, channels=16, hidden=32)
