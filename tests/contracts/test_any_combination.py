"""Any randomness with any network and any objective: it takes two steps and draws, or is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.core.capabilities import HasMemory
from variegate.core.config import Training
from variegate.core.errors import ConfigError
from variegate.core.images import to_uint8
from variegate.core.interfaces import Batch, Generator, Objective, Shapes
from variegate.core.method import GeneratorConfig, Method, ObjectiveConfig, RandomnessConfig
from variegate.methods import METHODS

SIZE = (16, 16)
GENERATORS: dict[str, dict[str, Any]] = {
    "autoencoder": {"encoder_scale": 0.05, "maps": 4},
    "completion": {"width": 4},
    "content_style": {"width": 4, "blocks": 1},
    "crn": {"widths": (6, 6, 4)},
    "enhancer": {"width": 4, "downs": 2, "blocks": 1, "fine_blocks": 1},
    "flow": {"widths": (8, 8), "blocks": 1},
    "inpainter": {"width": 4, "blocks": 1},
    "moment_predictor": {"backbone": {"kind": "unet", "width": 4}},
    "pixelcnn": {"layers": 2, "width": 12, "first_filter": 3, "head": 12},
    "pixelnn": {"backbone": {"kind": "unet", "width": 3}, "descriptor": "laplacian"},
    "plugged": {"network": "lraspp_mobilenet_v3_large"},
    "resnet": {"width": 4, "blocks": 2},
    "split_crn": {"widths": (6, 6, 4), "split": 1},
    "srresnet": {"width": 4, "blocks": 1, "scale": 2},
    "unet": {"width": 4},
}
RANDOMNESS: dict[str, dict[str, Any]] = {
    "adain": {"size": 4, "hidden": 4},
    "basis_filters": {"bases": 2, "latent": 4, "hidden": 4},
    "channel_dropout": {},
    "element_dropout": {},
    "heads": {"heads": 3},
    "latent": {"size": 4},
    "noise_input": {"channels": 2, "hidden": 4},
    "noise_maps": {"channels": 2},
    "none": {},
    "whole_filters": {"latent": 4, "hidden": 4},
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "adversarial": {"width": 4, "layers": 1},
    "class_wise": {"perceptual": "laplacian"},
    "cvae_gan": {"width": 4, "layers": 1, "scales": 1, "code_size": 4},
    "deviation_reward": {"width": 4, "layers": 1},
    "distillation": {"perceptual": "laplacian", "matching": "nearest", "candidates": 2, "inner_steps": 2},
    "flow_matching": {},
    "likelihood": {},
    "moment_likelihood": {},
    "moment_reconstruction": {"proxy": False, "width": 4, "layers": 1, "samples": 2},
    "multiple_choice": {"perceptual": "laplacian", "count": 2, "warm_up": 1},
    "munit": {"width": 4, "layers": 1, "scales": 1, "code_size": 4},
    "nearest_sample": {"perceptual": "laplacian", "candidates": 2, "inner_steps": 2, "inner_batch": 2},
    "squared_error": {},
}
# patterns of layers, beside all of them; a network that lacks one refuses it
SITES = ("down*", "up*", "up1", "block*", "style*", "level*", "shared*", "own*", "fine*", "output", "outer")
STAGED = ("completion", "content_style", "crn", "enhancer", "inpainter", "resnet", "split_crn", "srresnet", "unet")
PLAYERS = ("generator", "discriminator", "discriminator2", "posterior", "partner")


def test_every_component_takes_part() -> None:
    assert METHODS, "which have registered all components"
    families = {GeneratorConfig: GENERATORS, RandomnessConfig: RANDOMNESS, ObjectiveConfig: OBJECTIVES}
    for family, small in families.items():
        own = {kind for kind, made in family.kinds.items() if made.__module__.startswith("variegate.")}
        assert own == set(small)


def method(generator: str, randomness: str, objective: str, sites: str = "*") -> Method:
    where = {} if randomness == "none" else {"sites": (sites,)}
    heads = {"heads": 3} if (randomness, objective) == ("heads", "class_wise") else {}
    return Method(
        name="any",
        paper="",
        summary="",
        condition="",
        generator={"kind": generator, **GENERATORS[generator]},
        randomness={"kind": randomness, **RANDOMNESS[randomness], **where},
        objective={"kind": objective, **OBJECTIVES[objective], **heads},
        training=Training(steps=2, batch_size=2, learning_rate=dict.fromkeys(PLAYERS, 1e-3)),
    )


def works(generator: str, randomness: str, objective: str, sites: str = "*") -> bool:
    """Whether it takes two steps and draws; False if it was refused at construction."""
    torch.manual_seed(0)
    try:
        chosen = method(generator, randomness, objective, sites)
        shapes = Shapes(4 if chosen.generator.fills_holes else 3, 3, SIZE)
        made = chosen.build_generator(shapes), chosen.build_objective(shapes)
    except ConfigError as error:
        refusal = str(error)
    else:
        train_and_draw(*made, shapes)
        return True
    assert refusal
    assert "\n" not in refusal
    return False


def train_and_draw(generator: Generator, objective: Objective, shapes: Shapes) -> None:
    channels, image = shapes.condition_channels, torch.rand(2, 3, *SIZE) * 2 - 1
    condition = F.one_hot(torch.randint(channels, (2, *SIZE)), channels).movedim(-1, 1).float()
    if channels == 4:  # its last plane is the mask of a hole
        condition[:, 3] = 0
        condition[:, 3, 4:12, 4:12] = 1
    if isinstance(generator, HasMemory):
        generator.get_ready()
    for step in range(2):
        batch = Batch(condition, image, torch.arange(2), torch.arange(2) + 2 * step)
        move(generator.train(), objective.train(), batch, step)
    if isinstance(generator, HasMemory):
        generator.remember([(condition, to_uint8(image))])
    with torch.no_grad():
        drawn = generator.eval()(condition, generator.draw_for(torch.arange(2), 3))
    assert drawn.shape == (2, 3, 3, *SIZE)
    assert bool(drawn.isfinite().all())


def move(generator: Generator, objective: Objective, batch: Batch, step: int) -> None:
    """All updates of a batch, by the signs of the gradients."""
    players: dict[str, list[nn.Parameter]] = {name: list(own) for name, own in objective.players(generator).items()}
    for losses in objective.updates(generator, batch, step):
        moves: list[tuple[nn.Parameter, Tensor | None]] = []
        for name, terms in losses.items():
            loss = torch.stack(list(terms.values())).sum()
            assert bool(loss.isfinite())
            gradients = torch.autograd.grad(loss, players[name], allow_unused=True, retain_graph=True)
            moves += zip(players[name], gradients)
        with torch.no_grad():
            for parameter, gradient in moves:
                if gradient is not None:
                    assert bool(gradient.isfinite().all())
                    parameter -= 1e-3 * gradient.sign()


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_product_works_or_is_refused_in_a_sentence(generator: str) -> None:
    assert sum(works(generator, randomness, objective) for randomness in RANDOMNESS for objective in OBJECTIVES)


@pytest.mark.parametrize("generator", STAGED)
def test_a_code_may_enter_at_any_layers(generator: str) -> None:
    objectives = dict.fromkeys(RANDOMNESS, "nearest_sample") | {"heads": "class_wise"}
    kinds = [kind for kind in RANDOMNESS if kind != "none"]
    assert sum(works(generator, kind, objectives[kind], sites) for kind in kinds for sites in SITES)
