"""Configuration: pydantic pieces shared by every component, and YAML in and out."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from math import ceil, prod
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError, did_you_mean

RENAMED = {"average_decay": "ema_decay"}  # training settings: name in older runs -> current name


class Config(BaseModel):
    """Immutable settings; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UnknownKindError(ConfigError):
    """A `kind` that no member of a family has."""


class Registered(Config):
    """Settings of a family's member; members register when they are defined, and `kind` names them in YAML.

    Attributes:
        group: what the family's members are called, such as generator.
        kinds: all members by kind; every family has its own.
        older: former names of kinds, as in older files.
    """

    group: ClassVar[str]
    kinds: ClassVar[dict[str, type[Any]]]
    older: ClassVar[dict[str, str]] = {}

    kind: str

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Register a class whose `kind` has a default. Raises TypeError if another class has the same."""
        kind = cls.model_fields["kind"].default
        if not isinstance(kind, str):
            return
        known = cls.kinds.setdefault(kind, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{cls.group} {kind!r} is already defined: {known.__qualname__} of {known.__module__}")

    @classmethod
    def of(cls, value: Any) -> Any:
        """The member that a mapping with a `kind` describes; anything else is left to validation.

        Raises:
            UnknownKindError: there is no such kind.
        """
        if not isinstance(value, Mapping):
            return value
        kind = cls.older.get(str(value.get("kind")), value.get("kind"))
        if not isinstance(kind, str) or kind not in cls.kinds:
            raise UnknownKindError(
                f"{cls.group}.kind: there is no {cls.group} {kind!r}; {did_you_mean(str(kind), cls.kinds)}"
            )
        return cls.kinds[kind].model_validate({**value, "kind": kind})


C = TypeVar("C", bound=Config)
SHORT = reprlib.Repr()  # for messages: nested YAML anchors can describe more than fits into memory
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother = 2, 200, 200


class Schedule(Config):
    """Learning-rate factor as a function of training progress t in [0, 1]."""

    kind: Literal["constant", "linear", "poly", "halve"] = "constant"
    start: float = Field(0.5, ge=0, lt=1, description="linear: constant until this progress, then down to zero")
    power: float = Field(0.9, gt=0, description="poly: (1 - t) ** power")
    every: float = Field(0.1, gt=0, description="halve: after each such fraction of training")
    warmup_steps: int = Field(0, ge=0, description="batches over which the rate rises from zero, whatever the kind")

    def factor(self, progress: float) -> float:
        if self.kind == "linear":
            return 1.0 if progress < self.start else max(0.0, (1 - progress) / (1 - self.start))
        if self.kind == "poly":
            return max(0.0, 1 - progress) ** self.power
        if self.kind == "halve":
            return 0.5 ** int(progress / self.every + 1e-9)
        return 1.0


class Hold(Config):
    """Generator parameters that are frozen at first, such as those loaded from earlier training."""

    parameters: tuple[str, ...] = Field((), description="patterns of parameter names, such as stages.block*")
    until: float = Field(0.0, ge=0, le=1, description="fraction of training")


class Restart(Config):
    """A second phase of training: generator parts and optimiser states are reset, and learning rates change."""

    at: float = Field(0.0, ge=0, lt=1, description="fraction of training; 0: never")
    modules: tuple[str, ...] = Field((), description="parts that are re-initialised, such as randomness.encoder")
    factor: float = Field(1.0, gt=0, description="multiplies every learning rate from then on")

    def step(self, steps: int, share: int = 1) -> int | None:
        """The first step of the second phase, given the total number of steps; a multiple of `share`, steps a batch."""
        return ceil(ceil(self.at * steps - 1e-9) / share) * share if self.at else None


class Neighbours(Config):
    """Images of other pairs whose conditions are nearly the same, as further targets (`data.neighbours`)."""

    threshold: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="distance of conditions below which pairs are neighbours; 0: none"
    )
    most: int = Field(7, ge=2, description="maximum of images per condition, including its own")


class Training(Config):
    """All settings of training outside the networks and the losses.

    Raises:
        ConfigError: neighbours are wanted, whose holes are similar, and fresh holes, which are not.
    """

    steps: int = Field(
        100_000,
        ge=1,
        description="batches drawn from the data, over all processes together; cimle: see updates_per_step",
    )
    batch_size: int = Field(1, ge=1, description="global batch, split over the processes")
    learning_rate: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        {"generator": 2e-4}, description="one per player"
    )
    rate_factors: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        {}, description="of the generator's rate, by the first pattern that matches: {'*basis_generator*': 0.1}"
    )
    optimizer: Literal["adam", "amsgrad", "rmsprop"] = "adam"
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Schedule = Schedule()
    hold: Hold = Hold()
    restart: Restart = Restart()
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="exponential moving average of the generator's weights, after its warm-up"
    )
    clip_norm: float | None = Field(None, gt=0)
    clip_value: float | None = Field(None, gt=0)
    replacement: bool = Field(False, description="draw items independently instead of once per epoch")
    rebalance: Literal["none", "data", "loss", "both"] = Field(
        "none", description="draw rare appearances more often (data), weigh their pixels more (loss); needs label maps"
    )
    rebalance_masks: Literal["published", "even"] = Field(
        "published", description="loss weights relate classes by 1/density, as published, or have mean 1 per class"
    )
    rebalance_classes: int = Field(5, ge=1, description="data rebalancing covers this many classes, largest area first")
    rebalance_smallest: float = Field(
        0.001, ge=0, lt=1, description="share of the image up to which a class has no rarity; 0.02 leaves specks out"
    )
    keep: Literal["last", "best"] = Field("last", description="the model to keep; best: by validation score")
    patience: int = Field(
        0, ge=0, description="with keep best: training ends after so many checkpoints without a better score; 0: never"
    )
    jitter: float = Field(1.0, ge=1, le=16, description="resize to this multiple of the size, then crop at random")
    flip: bool = Field(False, description="mirror half of the pairs")
    fresh_holes: bool = Field(False, description="cut another hole out of an image at every visit; needs inpaint")
    neighbours: Neighbours = Neighbours()

    @model_validator(mode="before")
    @classmethod
    def _by_older_names(cls, values: Any) -> Any:
        return (
            {RENAMED.get(name, name): value for name, value in values.items()} if isinstance(values, dict) else values
        )

    @model_validator(mode="after")
    def _one_hole_for_neighbours(self) -> Training:
        if self.neighbours.threshold and self.fresh_holes:
            raise ConfigError(
                "training.neighbours.threshold finds pairs with similar holes, but training.fresh_holes gives an image "
                "another hole at every visit; leave one of the two out"
            )
        return self

    def ema_decay_at(self, step: int) -> float:
        """The decay of a step: at first (1 + step) / (10 + step), so that the average soon forgets the weights that
        training began with."""
        return min(self.ema_decay, (1 + step) / (10 + step))

    def initial_share(self, steps: int) -> float:
        """How much of the average is still the weights that training began with, after so many steps of one update."""
        return prod(map(self.ema_decay_at, range(steps)))

    def rate_factor(self, step: int, share: int = 1) -> float:
        """The factor of every learning rate at a step, if so many steps share a batch."""
        second = self.restart.step(self.steps, share)
        phase = 1.0 if second is None or step < second else self.restart.factor
        rising = min(1.0, (step + 1) / max(1, self.schedule.warmup_steps))
        return rising * phase * self.schedule.factor(step / self.steps)


class Budget(Config):
    """How a method is made small enough for training that takes minutes.

    Attributes:
        rungs: options, from the widest network to the narrowest.
        options: those of all rungs.
        enough: steps below which a narrower network is better.
        first: share of the time for what is trained first, if anything is.
    """

    rungs: tuple[dict[str, Any], ...] = ({},)
    options: dict[str, Any] = Field(default_factory=dict)
    enough: int = 1000
    first: float = 0.4


def to_yaml(config: Config) -> str:
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def from_mapping(kind: type[C], values: Mapping[str, Any], where: str) -> C:
    """Validate; the first mistake becomes a one-sentence error that names the key and any close match."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error, kind)}") from None
    except UnknownKindError as error:
        raise ConfigError(f"{where}: {error}") from None


def explain(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first validation error in words."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(path, kind.model_fields) if path.isidentifier() else "it may come from a newer version"
        return f"there is no setting {path!r}; {hint}"
    return f"{path}: {first['msg'].lower()}, got {SHORT.repr(first['input'])}"
