"""Where the metrics and images of a run are shown while it trains; `metrics.jsonl` holds the same numbers anyway."""

from __future__ import annotations

import io
import json
import logging
import os
import uuid
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..core.config import Config
from ..core.errors import ConfigError
from ..core.files import write_text

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)
Kind = Literal["tensorboard", "trackio", "wandb", "none"]
PROJECT = "variegate"
NAMES = "tracker.json"  # in a run directory: the id of its run in a tracker, by kind
UPLOAD_SECONDS = 120.0  # seconds that wandb may take to upload the rest when a run ends


class Tracker(Protocol):
    """What shows a run."""

    def numbers(self, step: int, values: dict[str, float]) -> None: ...

    def image(self, step: int, name: str, image: Tensor) -> None:
        """An image, uint8 (3, H, W)."""

    def close(self) -> None: ...


def check_tracker(kind: Kind) -> None:
    """Raises ConfigError if a tracker's package is missing."""
    if kind in ("trackio", "wandb") and find_spec(kind) is None:
        raise ConfigError(f"--tracker {kind} needs the package {kind}: pip install 'variegate[{kind}]'")


def open_tracker(kind: Kind, folder: Path, step: int, config: Config, quiet: bool = False) -> Tracker | None:
    """The tracker of a run that goes on after a step, as the same run that it was there; None for `none`.

    Nothing that goes wrong with it, such as a lost network, ends training: it is told once, and nothing is shown from
    then on.

    Raises:
        ConfigError: its package is missing.
    """
    check_tracker(kind)
    if kind == "none":
        return None
    return Lenient(kind, lambda: KINDS[kind](folder, step, config, quiet))


class Lenient:
    """A tracker whose first error is told in a warning, and ends the tracking alone."""

    def __init__(self, kind: Kind, open: Callable[[], Tracker]) -> None:
        self.kind: Kind = kind
        self.tracker: Tracker | None = None
        self.attempt(lambda: setattr(self, "tracker", open()))

    def numbers(self, step: int, values: dict[str, float]) -> None:
        if tracker := self.tracker:
            self.attempt(lambda: tracker.numbers(step, values))

    def image(self, step: int, name: str, image: Tensor) -> None:
        if tracker := self.tracker:
            self.attempt(lambda: tracker.image(step, name, image))

    def close(self) -> None:
        if tracker := self.tracker:
            self.attempt(tracker.close)
            self.tracker = None

    def attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # of any package, and of the network below it
            self.tracker = None
            first = (str(error).strip().splitlines() or [""])[0]
            told = (self.kind, type(error).__name__, first)
            logger.warning("%s failed (%s: %s); training goes on without it, metrics.jsonl has all numbers", *told)


class TensorBoard:
    """Event files in the run directory; those of steps that are trained again are hidden."""

    def __init__(self, folder: Path, step: int, config: Config, quiet: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.board = SummaryWriter(str(folder), purge_step=step + 1)

    def numbers(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: Tensor) -> None:
        self.board.add_image(name, image, step)

    def close(self) -> None:
        self.board.close()


class Trackio:
    """A local SQLite database, which `trackio show` draws; a server only if trackio is told one."""

    def __init__(self, folder: Path, step: int, config: Config, quiet: bool) -> None:
        import trackio

        self.package = trackio
        name, values = f"{title(folder)}-{identity(folder, 'trackio')}", config.model_dump(mode="json")
        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        with redirect_stdout(io.StringIO()):  # standard output is for results
            self.run = trackio.init(project, name=name, config=values, resume="allow", embed=False)

    def numbers(self, step: int, values: dict[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def image(self, step: int, name: str, image: Tensor) -> None:
        self.run.log({name: self.package.Image(image.permute(1, 2, 0).numpy())}, step=step)

    def close(self) -> None:
        with redirect_stdout(io.StringIO()):
            self.package.finish()


class WandB:
    """Weights & Biases: online if a key is configured, else a folder in the run directory for `wandb sync`."""

    def __init__(self, folder: Path, step: int, config: Config, quiet: bool) -> None:
        import wandb

        self.package = wandb
        settings = wandb.Settings(console="off", silent=quiet)
        if hasattr(settings, "finish_timeout"):  # newer versions; others wait for a lost network without end
            settings.finish_timeout = UPLOAD_SECONDS
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(folder),
            id=identity(folder, "wandb"),
            resume="allow",
            name=title(folder),
            config=config.model_dump(mode="json"),
            mode=wandb_mode(wandb),  # type: ignore[arg-type]
            settings=settings,
        )

    def numbers(self, step: int, values: dict[str, float]) -> None:
        self.run.log(values, step=step)

    def image(self, step: int, name: str, image: Tensor) -> None:
        self.run.log({name: self.package.Image(image.permute(1, 2, 0).numpy())}, step=step)

    def close(self) -> None:
        self.run.finish()


KINDS: dict[str, Any] = {"tensorboard": TensorBoard, "trackio": Trackio, "wandb": WandB}


def wandb_mode(wandb: Any) -> str:
    """WANDB_MODE, or online if a key is configured; otherwise offline, so that nobody is asked to log in."""
    if given := os.environ.get("WANDB_MODE"):
        return given
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    try:
        return "online" if wandb.login(prompt=False, verify=False) else "offline"
    except TypeError:  # older versions
        return "online" if wandb.api.api_key else "offline"


def title(folder: Path) -> str:
    """A run's name for people."""
    place = folder.resolve()
    return f"{place.parent.name}-{place.name}" if place.name == "previous" else place.name


def identity(folder: Path, kind: Kind) -> str:
    """The id by which a tracker knows a run; it stays in the run directory, so that moving the run changes nothing."""
    path = folder / NAMES
    try:
        known: Any = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    names = {key: value for key, value in known.items() if isinstance(value, str)} if isinstance(known, dict) else {}
    if kind not in names:
        names[kind] = uuid.uuid4().hex[:12]
        write_text(path, json.dumps(names))
    return names[kind]
