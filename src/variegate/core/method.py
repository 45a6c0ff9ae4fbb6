"""A method, and the settings of its components: generator, randomness and objective.

These are three typed families whose members register when they are defined, so a new component is one new file. Its
settings name a `kind`, build the module, and refuse what it cannot do. Families never import each other; what one must
know about another is asked through its base class here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import BeforeValidator, SerializeAsAny, model_validator
from torch import nn

from .config import Config, Registered, Training
from .errors import ConfigError, WeightsError
from .given import Given
from .interfaces import Generator, Objective, Randomness, Shapes

SIDES = (8, 16, 32, 64, 128, 256, 512)  # sizes that are tried where images are too small for a method
Opposite = Callable[[], Generator]  # makes a generator of the other direction, from images to conditions


class Component(Registered, ABC):
    """Settings of one component.

    Attributes:
        summary: for the documentation's tables: the network, what the code is, how the objective trains.
    """

    summary: ClassVar[str] = ""

    def refusal(self, method: Method) -> str | None:
        """Why this component cannot work in a method, or None."""
        return None


class GeneratorConfig(Component):
    """Settings of a generator.

    Attributes:
        trained_by: the only kinds of objective that can train it; empty: any.
        fills_holes: it needs a mask in its condition and fills only the hole.
    """

    group: ClassVar[str] = "generator"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    trained_by: ClassVar[tuple[str, ...]] = ()
    fills_holes: ClassVar[bool] = False

    @abstractmethod
    def build(self, randomness: Randomness, shapes: Shapes) -> Generator:
        """Raises ConfigError if these settings do not fit the shapes."""

    def refusal(self, method: Method) -> str | None:
        if self.trained_by and method.objective.kind not in self.trained_by:
            return f"generator {self.kind} can be trained only by objective {' or '.join(self.trained_by)}"
        return None

    def for_condition(self, condition: str) -> GeneratorConfig:
        """The settings that a kind of condition needs, by its spelling, such as inpaint."""
        return self

    def in_one_pass(self) -> GeneratorConfig | None:
        """The same network and code, drawing in one pass; None if it cannot, or already does."""
        return None

    def moments_family(self) -> str | None:
        """The family of distributions whose moments it predicts, if any."""
        return None

    def centre(self) -> GeneratorConfig | None:
        """The network that outputs the centre of the moments it predicts, if any."""
        return None

    def check_data(self, condition: Given) -> None:
        """Raise ConfigError if it cannot use these conditions, or if there are none."""
        if not condition.channels:
            raise ConfigError(
                "it needs conditions, but --condition none gives it none; give class, edges or another, "
                "or train gated-pixelcnn, which needs none"
            )


class RandomnessConfig(Component):
    """Settings of a randomness.

    Attributes:
        has_code: there is a code, so images of one condition can differ.
        comparable: the distance of two codes says how different their images should be.
        appends: the code enters as further input channels alone, after a layer's own.
    """

    group: ClassVar[str] = "randomness"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    has_code: ClassVar[bool] = True
    comparable: ClassVar[bool] = True
    appends: ClassVar[bool] = False

    @abstractmethod
    def build(self, shapes: Shapes) -> Randomness:
        """Raises ConfigError if these settings contradict each other."""

    def any_size(self) -> bool:
        """Whether a code means the same at any size of the image."""
        return True

    def vector_length(self) -> int | None:
        """D, if a code is one Gaussian vector, which an encoder can find for an image."""
        return None

    def alternatives(self) -> int | None:
        """The number of distinct codes, if it is finite."""
        return None

    def by_class(self) -> bool:
        """Whether each class of a label map has a part of the code; see `Randomness.parts`."""
        return False


class ObjectiveConfig(Component):
    """Settings of an objective.

    Attributes:
        weighs_pixels: losses are multiplied by `Batch.weight`.
        pools: little of a batch is used at a time, so its conditions are encoded row by row.
    """

    group: ClassVar[str] = "objective"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    weighs_pixels: ClassVar[bool] = False
    pools: ClassVar[bool] = False

    @abstractmethod
    def build(self, shapes: Shapes, opposite: Opposite) -> Objective:
        """`opposite` makes a generator of the same kind for the other direction, from images to conditions."""

    def players(self) -> frozenset[str]:
        """The players, each of which needs a learning rate: the keys of `Objective.players`."""
        return frozenset({"generator"})

    def fixed_codes(self) -> int:
        """The number of codes drawn once, used throughout training and saved; 0: fresh ones at every visit."""
        return 0

    def steps_per_batch(self) -> int:
        """Steps in a row that get the same batch."""
        return 1

    def targets(self) -> int:
        """The number of images of one condition that can be targets at once."""
        return 1

    def smallest_batch(self, batch_size: int) -> int:
        """The number of conditions in the smallest pass through the generator."""
        return batch_size

    def from_predicted(self) -> bool:
        """Whether the generator of a new run starts from the weights of its predictor."""
        return False

    def inform(self, generator: Generator) -> None:
        """Tell a new generator what it must know of this objective."""

    def indivisible(self) -> str | None:
        """Why the mean over micro-batches is not what the whole batch gives; None if it is."""
        return None

    def build_inverter(self, shapes: Shapes) -> nn.Module | None:
        """The network of `Objective.inverter`, untrained."""
        return None


class Method(Config):
    """A method, made by a preset in `methods`; a combination that cannot work is refused here, with the reason.

    Raises:
        ConfigError: a component refuses another one, or a training setting.
    """

    name: str
    paper: str
    summary: str
    condition: str  # what data it needs, in words
    generator: Annotated[SerializeAsAny[GeneratorConfig], BeforeValidator(GeneratorConfig.of)]
    randomness: Annotated[SerializeAsAny[RandomnessConfig], BeforeValidator(RandomnessConfig.of)]
    objective: Annotated[SerializeAsAny[ObjectiveConfig], BeforeValidator(ObjectiveConfig.of)]
    training: Training
    previous: Self | None = None  # trained first and handed over
    previous_scale: int = 1  # at the size divided by this
    previous_role: Literal["start", "predictor", "teacher"] = (
        "start"  # where the generator starts; or frozen, for the objective; or both, as far as networks are alike
    )
    unpaired: bool = False  # conditions and images need not belong together
    derived: str | None = None  # how conditions are made from plain images, unless --condition says otherwise

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = (self.objective, self.generator, self.randomness)
        reasons = [*(part.refusal(self) for part in parts), self._training_refusal()]
        if reason := next(filter(None, reasons), None):
            raise ConfigError(f"{self.name}: {reason}")
        return self

    def _training_refusal(self) -> str | None:
        """Why the training settings do not fit the objective, or None."""
        training, objective = self.training, self.objective
        if training.rebalance in ("loss", "both") and not objective.weighs_pixels:
            return "its losses do not weigh pixels by rarity; only training.rebalance data works with this objective"
        near = training.neighbours
        if near.threshold and objective.targets() == 1:
            return "its objective has one target per condition; training.neighbours.threshold must be 0"
        if near.threshold and near.most > objective.targets():
            few = f"training.neighbours.most is {near.most}, but each condition has only {objective.targets()} outputs"
            return f"{few} to match; lower it, or raise their number (--branches, --candidates)"
        if training.patience and training.keep != "best":
            return "training.patience waits for a better validation score, so it needs training.keep best"
        missing = ", ".join(sorted(objective.players() - set(training.learning_rate)))
        return f"training.learning_rate has no entry for {missing}" if missing else None

    @property
    def frozen(self) -> Self | None:
        """The method whose generator is trained first, as a predictor or teacher, and then frozen."""
        return None if self.previous_role == "start" else self.previous

    def check_data(self, condition: Given) -> None:
        """Raise ConfigError if the generator or the method as a whole cannot use these conditions."""
        try:
            self.generator.check_data(condition)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from None
        if self.randomness.by_class() and condition.spelling != "labels":
            raise ConfigError(f"{self.name}: randomness.per_class needs label maps, but got {condition.noun}; omit it")
        kind, _, setting = (self.derived or "").partition(":")
        given, _, other = condition.spelling.partition(":")
        if kind == "superres" and (given, other) != (kind, setting):
            raise ConfigError(
                f"{self.name} is built for --condition {self.derived}, not {condition.spelling}; give --scale its value"
            )
        if kind == "self" and given != kind:
            raise ConfigError(f"{self.name} reads the image itself, not --condition {condition.spelling}; leave it out")
        if kind == "inpaint" and given != kind:
            raise ConfigError(f"{self.name} fills holes, but --condition {condition.spelling} cuts none; leave it out")

    def build_generator(self, shapes: Shapes) -> Generator:
        """Build the generator.

        Raises:
            ConfigError: the settings do not fit each other, or the images are too small for them.
        """
        try:
            return self._generator(shapes)
        except ConfigError as error:
            raise self._advise(error, shapes) from None

    def build_objective(self, shapes: Shapes) -> Objective:
        """Build the objective, with its discriminators and so on; raises as `build_generator` does."""
        try:
            return self._objective(shapes)
        except ConfigError as error:
            raise self._advise(error, shapes) from None

    def _advise(self, error: ConfigError, shapes: Shapes) -> ConfigError:
        """The error itself, or the smallest size at which there is none."""
        for side in SIDES:
            if side > min(shapes.size) and self._fits(shapes._replace(size=(side, side))):
                height, width = shapes.size
                least = f"{self.name} needs images of at least {side}x{side}, got {height}x{width}; give --size {side}"
                return ConfigError(f"{least} ({error})")
        return error

    def _fits(self, shapes: Shapes) -> bool:
        try:
            with torch.device("meta"):
                self._generator(shapes)
                self._objective(shapes)
        except (ConfigError, RuntimeError):  # what cannot be built without memory gives no advice
            return False
        except WeightsError:  # as far as networks without weights of their own can tell
            return True
        return True

    def _generator(self, shapes: Shapes) -> Generator:
        randomness = self.randomness.build(shapes)
        generator = self.generator.build(randomness, shapes)
        self.objective.inform(generator)
        if count := self.objective.fixed_codes():
            generator.register_buffer("training_codes", randomness.fixed_codes(count))  # by their former name
        return generator

    def _objective(self, shapes: Shapes) -> Objective:
        objective = self.objective.build(shapes, partial(self._generator, shapes.reversed()))
        if self.frozen is not None:
            objective.predictor = self.frozen.build_generator(shapes).requires_grad_(False).eval()
        return objective
