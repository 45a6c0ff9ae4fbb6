"""Conditional IMLE: every real image pulls its nearest sample, so no image is left out (Li et al., ICCV 2019).

    min E_z [ (1/n) sum_i min_j L(T(x_i, z_ij), y_i) ]                                            (Algorithm 1)

The loader's batch is the pool S: its first step draws m codes for each of its slots and keeps the best for each target.
K updates on random subsets of the pool follow with the winning codes fixed, in one step or in several that share the
batch. Codes belong to slots, not images: an image may occur twice. A slot has one target, its image, or several, with
other plausible images of the same condition.

Three changes of later papers are options: `reject` (RS-IMLE), `rematch` (Adaptive IMLE), `stages` (CHIMLE). A
discriminator (`adversarial`) keeps what lies between two looks from being drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..core.interfaces import Batch, Generator, Losses, Objective, Shapes
from ..core.method import Method, ObjectiveConfig, Opposite
from ..core.processes import each_row, own_rows
from ..losses.adversarial import Mode, discriminator_loss, generator_loss
from ..losses.class_wise import class_distances
from ..losses.perceptual import feature_l1
from ..networks.discriminators.patch import logits
from ..networks.perceptual import LayerWeights, PerceptualKind, perceptual
from .adversarial import AdversarialConfig, discriminator_of
from .class_wise import classes
from .matches import Matches, Slots, Targets, mixed, now_nearer, power_mean, smaller, targets_of, weight_of

PER_CLASS = "randomness.per_class: classes have codes of their own, but {}; train on label maps or omit it"


class NearestSample(Objective):
    """Nearest-sample matching, then updates with the winning codes.

    Args:
        features: image -> list of feature maps; their distances serve both matching and training.
        weights: one per feature map; None for equal weights.
        discriminator: judges samples of any code next to their condition; None: nothing does.
    """

    def __init__(
        self,
        features: nn.Module,
        weights: Sequence[float] | None,
        discriminator: nn.Module | None,
        config: NearestSampleConfig,
    ) -> None:
        super().__init__()
        self.features, self.weights, self.discriminator, self.config = features, weights, discriminator, config
        self.matches = Matches()

    def players(self, generator: Generator) -> dict[str, Iterable[nn.Parameter]]:
        players: dict[str, Iterable[nn.Parameter]] = {"generator": generator.parameters()}
        return players if self.discriminator is None else players | {"discriminator": self.discriminator.parameters()}

    def updates(self, generator: Generator, batch: Batch, step: int) -> Iterator[Losses]:
        config, targets = self.config, targets_of(batch)
        part, parts = step % config.steps_per_batch(), config.steps_per_batch()
        if part:
            winners, closest, rounds = self.matches.recall()
        else:
            winners, closest = self.match(generator, batch, targets)
            rounds = torch.zeros_like(batch.key)
        places = targets.present.nonzero()  # (slot, target) pairs
        for _ in range(config.inner_steps * part // parts, config.inner_steps * (part + 1) // parts):
            pick = places[torch.randint(len(places), (config.inner_batch,), device="cpu").to(places.device)]
            slots, which = own_rows(pick).unbind(1)
            condition, real = batch.conditions(slots), targets.image[slots, which]
            codes = self.codes(generator, batch.key[slots], winners[slots, which].unsqueeze(1))
            images = generator(condition, codes)[:, 0]
            if self.discriminator is not None:
                yield self.judge_first(self.discriminator, condition, real, images)
            distance = self.distance(images, self.embed(real), weight_of(batch, slots))
            terms = {"nearest": power_mean(distance, config.power)}
            if self.discriminator is not None:
                fooled = generator_loss(logits(self.discriminator(condition, images)), config.mode)
                terms["adversarial"] = config.adversarial * fooled
            yield {"generator": terms}
            reached = now_nearer(pick, distance, config.rematch * closest)
            if len(reached):
                rounds[reached] += 1
                winners[reached], closest[reached] = self.match(generator, batch, targets, reached, rounds[reached])
        if part < parts - 1:
            self.matches.keep(winners, closest, rounds)
        else:
            self.matches.forget()

    def judge_first(self, discriminator: nn.Module, condition: Tensor, real: Tensor, images: Tensor) -> Losses:
        """The discriminator's own update, on the images that the generator is then trained on."""
        yes, no = logits(discriminator(condition, real)), logits(discriminator(condition, images.detach()))
        return {"discriminator": {"adversarial": discriminator_loss(yes, no, self.config.mode)}}

    @torch.no_grad()
    def match(
        self,
        generator: Generator,
        batch: Batch,
        targets: Targets,
        slots: Tensor | None = None,
        rounds: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The nearest candidate of every target: its number for each part of the code (n, T, P), and distance (n, T).

        Candidates are known by number and redrawn when needed, since published codes fill megabytes each.

        Args:
            slots: those matched, (n,); default: all.
            rounds: of each slot, (n,); others have other candidates. Default: the first.
        """
        rows = torch.arange(len(batch.image), device=batch.image.device) if slots is None else slots
        turns = torch.zeros_like(rows) if rounds is None else rounds
        slots_at_once = max(1, self.config.chunk // self.config.candidates)
        was_training = generator.training
        generator.eval()  # batch statistics would make winners depend on which candidates share a chunk

        def work(own: Tensor) -> tuple[Tensor, ...]:
            found = [
                self.match_chunk(generator, batch, targets, rows[some], turns[some])
                for some in own.split(slots_at_once)
            ]
            return tuple(map(torch.cat, zip(*found)))

        winners, distances = each_row(len(rows), work, rows.device)
        generator.train(was_training)
        return winners, distances

    def match_chunk(
        self, generator: Generator, batch: Batch, targets: Targets, rows: Tensor, turns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`match` for some slots. Stages after the first draw the later parts of the best code yet anew."""
        config, present = self.config, targets.present[rows]
        reduced = smaller(batch.conditions(rows), targets.image[rows], weight_of(batch, rows), config.match_scale)
        condition, image, mask = reduced
        wanted = [maps.unflatten(0, present.shape) for maps in self.embed(image.flatten(0, 1))]
        fresh = turns[:, None] * config.candidates + torch.arange(config.candidates, device=rows.device)
        numbers = fresh.unsqueeze(2).repeat(1, 1, len(generator.parts) or config.stages)  # (b, m, P)
        keys = batch.key[rows]
        slots = Slots(keys, condition, wanted, present, mask)
        winners, distances = self.choose(generator, slots, numbers)
        for part in range(1, 2 if generator.parts else config.stages):
            for t in range(present.shape[1]):
                changed = winners[:, t].unsqueeze(1).repeat(1, config.candidates, 1)
                changed[:, 1:, part:] = numbers[:, 1:, part:]  # the first candidate is the best yet
                one = slots._replace(maps=[maps[:, t : t + 1] for maps in wanted], present=present[:, t : t + 1])
                best = self.choose(generator, one, self.by_class(generator, one, changed))
                winners[:, t], distances[:, t] = best[0][:, 0], best[1][:, 0]
        return winners, distances

    def choose(self, generator: Generator, slots: Slots, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The best of candidates with numbers (b, m, P) for every target: numbers (b, T, P) and distances (b, T)."""
        candidates = self.codes(generator, slots.keys, numbers)
        maps = self.features(generator(slots.condition, candidates).flatten(0, 1))
        distances = self.distances(maps, slots.maps, slots.mask)  # (b, m, T)
        near = ((distances < self.config.reject) & slots.present.unsqueeze(1)).any(dim=2, keepdim=True)
        allowed = torch.where(near & ~near.all(dim=1, keepdim=True), torch.inf, distances)  # if all are: the nearest
        best, winner = allowed.min(dim=1)
        return numbers.gather(1, winner.unsqueeze(2).expand(-1, -1, numbers.shape[2])), best

    def by_class(self, generator: Generator, slots: Slots, numbers: Tensor) -> Tensor:
        """Where classes have parts of a code: of candidates (b, m, P), the first, and one whose classes have the parts
        of the candidates that are nearest in their pixels, (b, 2, P). Elsewhere the candidates as they are.
        """
        if not generator.parts:
            return numbers
        maps = self.features(generator(slots.condition, self.codes(generator, slots.keys, numbers)).flatten(0, 1))
        images, target = [one.unflatten(0, numbers.shape[:2]) for one in maps], [one[:, 0] for one in slots.maps]
        labels, weights = classes(slots.condition, PER_CLASS), self.weights or [1.0] * len(maps)
        return mixed(numbers, class_distances(images, target, weights, labels, slots.mask))

    def codes(self, generator: Generator, keys: Tensor, numbers: Tensor) -> Tensor:
        """Codes (b, m, D) of slots with keys (b,), whose parts are those of the codes with these numbers (b, m, P)."""
        parts = numbers.shape[2]
        seeds = [(key, i) for key, row in zip(keys.tolist(), numbers.tolist()) for code in row for i in code]
        place = {seed: i for i, seed in enumerate(dict.fromkeys(seeds))}  # parts mostly have the same number
        drawn = generator.draw([*place])[[place[seed] for seed in seeds]].unflatten(0, numbers.shape).to(keys.device)
        if parts == 1:
            return drawn[:, :, 0]
        size = drawn.shape[3]
        equal = [(part + 1) * size // parts - part * size // parts for part in range(parts)]
        pieces = drawn.split(generator.parts or equal, dim=3)
        return torch.cat([piece[:, :, i] for i, piece in enumerate(pieces)], dim=2)

    def distances(self, maps: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        """Distances (b, m, T) of candidates to targets (b, T, ...); one by one, so that nothing is copied."""
        slots, targets = wanted[0].shape[:2]
        candidates = [layer.unflatten(0, (slots, -1)) for layer in maps]
        rows = []
        for i in range(slots):
            own, cover = [layer[i] for layer in candidates], None if mask is None else mask[i : i + 1]
            rows.append(
                torch.stack([self.compare(own, [w[i, t : t + 1] for w in wanted], cover) for t in range(targets)], 1)
            )
        return torch.stack(rows)

    @torch.no_grad()
    def embed(self, images: Tensor) -> list[Tensor]:
        return self.features(images)

    def distance(self, images: Tensor, targets: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        """Perceptual distances (B,) of images (B, C, H, W) to embedded targets."""
        return self.compare(self.features(images), targets, mask)

    def compare(self, maps: Sequence[Tensor], targets: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        return feature_l1(maps, targets, self.weights or [1.0] * len(maps), mask)


class NearestSampleConfig(ObjectiveConfig):
    weighs_pixels: ClassVar[bool] = True
    pools: ClassVar[bool] = True
    summary: ClassVar[str] = "every real image pulls the nearest of m samples, so none is left out"

    kind: Literal["nearest_sample"] = "nearest_sample"
    perceptual: PerceptualKind = "vgg19"
    weights: LayerWeights = Field(
        None, description="one per feature map, or calibrated on the data; published for vgg19 (GTA-5), else equal"
    )
    candidates: int = Field(10, ge=1, description="m: codes tried for each slot of the pool")
    inner_steps: int = Field(10_000, ge=1, description="K: updates per pool")
    updates_per_step: int = Field(
        100,
        ge=1,
        description="most updates of a step; pools of more take several, between which there are logs and checkpoints",
    )
    power: float = Field(
        1.0, ge=-1, le=1, description="p of the distances; 1: as published; below, those far from a target count less"
    )
    inner_batch: int = Field(1, ge=1, description="slots per update, split over the processes")
    chunk: int = Field(10, ge=1, description="candidates held in memory at a time")
    match_scale: int = Field(
        1,
        ge=1,
        description="match at 1/this of the size; 1: as published; more allows more candidates but needs vector codes",
    )
    reject: float = Field(
        0.0, ge=0, description="candidates nearer than this to a target are passed over (RS-IMLE, ECCV 2024); 0: none"
    )
    rematch: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="slots nearer than this fraction of their matched distance are matched again (Adaptive IMLE, "
        "ICLR 2023); 0: none before the next pool",
    )
    stages: int = Field(
        1, ge=1, description="parts in which a code is chosen, the first of its numbers first (CHIMLE, NeurIPS 2022)"
    )
    adversarial: float = Field(
        0.0, ge=0, description="weight of a discriminator, against images between two looks; 0 trains none"
    )
    mode: Mode = "lsgan"
    width: int = Field(32, ge=1, description="base width of the discriminator")
    layers: int = Field(2, ge=1, description="strided layers of the discriminator")

    @model_validator(mode="before")
    @classmethod
    def _one_step_as_before(cls, values: Any) -> Any:
        """Where only K is given, as in runs of earlier versions, a pool is one step."""
        if isinstance(values, dict) and "inner_steps" in values and "updates_per_step" not in values:
            return values | {"updates_per_step": values["inner_steps"]}
        return values

    def players(self) -> frozenset[str]:
        return frozenset({"generator", "discriminator"} if self.adversarial else {"generator"})

    def steps_per_batch(self) -> int:
        return math.ceil(self.inner_steps / self.updates_per_step)

    def targets(self) -> int:
        return self.candidates

    def indivisible(self) -> str | None:
        return "it trains on objective.inner_batch pairs of a pool at a time, and needs memory only for those"

    def refusal(self, method: Method) -> str | None:
        if not method.randomness.has_code:
            return "nearest-sample matching needs a code; without randomness all candidates are the same image"
        if self.stages > 1 and method.randomness.by_class():
            return "randomness.per_class already chooses a code in two stages; omit objective.stages"
        if self.match_scale > 1 and not method.randomness.any_size():
            return "objective.match_scale needs codes that mean the same at any size; set randomness.vector, e.g. to 5"
        return None

    def build(self, shapes: Shapes, opposite: Opposite) -> NearestSample:
        Matches.check_shares(self.inner_batch)
        features, weights = perceptual(self.perceptual, self.weights)
        return NearestSample(features, weights, self.judge(shapes), self)

    def judge(self, shapes: Shapes) -> nn.Module | None:
        """The discriminator, if it has a weight."""
        if not self.adversarial:
            return None
        patch = AdversarialConfig(width=self.width, layers=self.layers, norm="instance")
        return discriminator_of(shapes.image_channels + shapes.condition_channels, patch, shapes.size)
