"""A method, and the settings of what it is made of: generator, randomness and objective.

These are three typed families whose members register by existing, so that a new component is one new file. Its settings
name a `kind`, build the module, and refuse what it cannot do. Families never import each other; what one must know of
another is asked of its base class here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import BeforeValidator, SerializeAsAny, model_validator
from torch import nn

from .config import Config, Registered, Training
from .errors import ConfigError
from .interfaces import Generator, Objective, Randomness, Shapes

Opposite = Callable[[], Generator]  # makes a generator of the other direction, from images to conditions


class Given(Protocol):
    """What a component may ask of the data's conditions; `data.conditions` has them."""

    @property
    def channels(self) -> int:
        """K of encoded conditions."""

    @property
    def noun(self) -> str:
        """What the user would call one condition."""

    @property
    def spelling(self) -> str:
        """What `--condition` says for it, such as superres:4 or class+edges; the kind of one that data have."""


class Component(Registered, ABC):
    """Settings of one component.

    Attributes:
        summary: for tables of the documentation: the network, what the code is, how the objective learns.
    """

    summary: ClassVar[str] = ""

    def refusal(self, method: Method) -> str | None:
        """Why this component cannot work in a method, or None."""
        return None


class GeneratorConfig(Component):
    """
    Attributes:
        trained_by: the only kind of objective that can train it, if there is one.
        fills_holes: it needs a mask in its condition and draws inside the hole alone.
    """

    group: ClassVar[str] = "generator"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    trained_by: ClassVar[str | None] = None
    fills_holes: ClassVar[bool] = False

    @abstractmethod
    def build(self, randomness: Randomness, shapes: Shapes) -> Generator:
        """Raises ConfigError if these settings do not fit the shapes."""

    def refusal(self, method: Method) -> str | None:
        if self.trained_by not in (None, method.objective.kind):
            return f"generator {self.kind} and objective {self.trained_by} belong together"
        return None

    def moments_family(self) -> str | None:
        """Which distribution it predicts the moments of, if it predicts any."""
        return None

    def check_data(self, condition: Given) -> None:
        """
        Raises:
            ConfigError: it cannot be given these conditions, or none at all.
        """
        if not condition.channels:
            raise ConfigError(
                "it draws images of conditions, and --condition none leaves it without; give class, edges "
                "or another, or train gated-pixelcnn, which needs none"
            )


class RandomnessConfig(Component):
    """
    Attributes:
        has_code: images of one condition differ at all.
        comparable: the distance of two codes says how different their images should be.
    """

    group: ClassVar[str] = "randomness"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    has_code: ClassVar[bool] = True
    comparable: ClassVar[bool] = True

    @abstractmethod
    def build(self, shapes: Shapes) -> Randomness:
        """Raises ConfigError if these settings contradict each other."""

    def any_size(self) -> bool:
        """Whether a code means the same at any size of the image."""
        return True

    def vector_length(self) -> int | None:
        """D, where a code is one Gaussian vector, such as an encoder can find for an image."""
        return None

    def alternatives(self) -> int | None:
        """How many different codes there are, where that number is finite."""
        return None


class ObjectiveConfig(Component):
    """
    Attributes:
        weighs_pixels: losses are multiplied by `Batch.weight`.
    """

    group: ClassVar[str] = "objective"
    kinds: ClassVar[dict[str, type[Any]]] = {}
    weighs_pixels: ClassVar[bool] = False

    @abstractmethod
    def build(self, shapes: Shapes, opposite: Opposite) -> Objective:
        """`opposite` makes a generator of the same kind for the other direction, from images to conditions."""

    def players(self) -> frozenset[str]:
        """Who needs a learning rate: the keys of `Objective.players`."""
        return frozenset({"generator"})

    def fixed_codes(self) -> int:
        """How many codes are drawn once, trained throughout and kept; 0: fresh ones at every visit."""
        return 0

    def targets(self) -> int:
        """Images of one condition that can be learned at once."""
        return 1

    def smallest_batch(self, batch_size: int) -> int:
        """Conditions in the smallest pass through the generator."""
        return batch_size

    def build_inverter(self, shapes: Shapes) -> nn.Module | None:
        """The network of `Objective.inverter`, untrained."""
        return None


class Method(Config):
    """Presets in `methods` make them. A combination that cannot work is refused here, with the reason.

    Raises:
        ConfigError: a component refuses another one, or a setting of the training.
    """

    name: str
    paper: str
    summary: str
    condition: str  # what data it wants, in words
    generator: Annotated[SerializeAsAny[GeneratorConfig], BeforeValidator(GeneratorConfig.of)]
    randomness: Annotated[SerializeAsAny[RandomnessConfig], BeforeValidator(RandomnessConfig.of)]
    objective: Annotated[SerializeAsAny[ObjectiveConfig], BeforeValidator(ObjectiveConfig.of)]
    training: Training
    previous: Self | None = None  # trained first and handed over
    previous_scale: int = 1  # at the size divided by this
    previous_role: Literal["start", "predictor"] = "start"  # of the generator; or frozen, in the objective
    unpaired: bool = False  # conditions and images need not belong together
    derived: str | None = None  # how conditions are made from plain images, unless --condition says otherwise

    @model_validator(mode="after")
    def _check(self) -> Self:
        components = (self.objective, self.generator, self.randomness)
        reasons = [*(component.refusal(self) for component in components), self._training_refusal()]
        reason = next(filter(None, reasons), None)
        if reason:
            raise ConfigError(f"{self.name}: {reason}")
        return self

    def _training_refusal(self) -> str | None:
        """Why the settings of the training do not fit the objective, or None."""
        training, objective = self.training, self.objective
        if training.rebalance in ("loss", "both") and not objective.weighs_pixels:
            return "its losses do not weigh pixels by rarity; only training.rebalance data works with this objective"
        wanted = training.neighbours
        if wanted.threshold and objective.targets() == 1:
            return "its objective learns one image of a condition; training.neighbours.threshold must be 0"
        if wanted.threshold and wanted.most > objective.targets():
            return (
                f"training.neighbours.most is {wanted.most}, but there are {objective.targets()} branches to learn "
                "them; raise --branches, or lower it"
            )
        missing = sorted(objective.players() - set(training.learning_rate))
        return f"training.learning_rate has no entry for {', '.join(missing)}" if missing else None

    @property
    def predictor(self) -> Self | None:
        """What is trained first to predict, and then frozen."""
        return self.previous if self.previous_role == "predictor" else None

    def check_data(self, condition: Given) -> None:
        """
        Raises:
            ConfigError: neither the generator nor the method as a whole can be given these conditions.
        """
        try:
            self.generator.check_data(condition)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from None
        kind, _, setting = (self.derived or "").partition(":")
        given, _, other = condition.spelling.partition(":")
        if kind == "superres" and (given, other) != (kind, setting):
            raise ConfigError(
                f"{self.name} is built for --condition {self.derived}, not {condition.spelling}; "
                "give --scale its number"
            )
        if kind == "self" and given != kind:
            raise ConfigError(f"{self.name} reads the image itself, not --condition {condition.spelling}; leave it out")
        if kind == "inpaint" and given != kind:
            raise ConfigError(f"{self.name} fills holes, and --condition {condition.spelling} cuts none; leave it out")

    def build_generator(self, shapes: Shapes) -> Generator:
        randomness = self.randomness.build(shapes)
        generator = self.generator.build(randomness, shapes)
        if count := self.objective.fixed_codes():
            # the name by which models were saved before there was another word for fixed codes
            generator.register_buffer("training_codes", randomness.fixed_codes(count))
        return generator

    def build_objective(self, shapes: Shapes) -> Objective:
        objective = self.objective.build(shapes, partial(self.build_generator, shapes.reversed()))
        if self.predictor is not None:
            objective.predictor = self.predictor.build_generator(shapes).requires_grad_(False).eval()
        return objective
