"""Train an embedding on images of people, and evaluate it on held-out people."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from ..core.config import Config, from_mapping, to_yaml
from ..core.device import require_device
from ..core.errors import ConfigError, Interrupted, TrainingError
from ..core.files import words_for_a_full_disk, write_text
from ..core.images import to_float
from ..losses.triplet import triplet_loss
from ..runs.checkpoints import Checkpoints
from ..runs.config import differences, saved_config
from ..runs.lock import NAME, holding
from ..runs.logs import Log
from ..runs.measured import Protocol, Results
from ..runs.saved_model import versions
from ..runs.settings import ExecutionSettings
from ..runs.stop import Stop
from ..runs.trackers import open_tracker
from .identities import Identities, read_identities
from .network import EmbeddingNetwork
from .saved import Embedding, EmbeddingRecord, Settings
from .verification import require, same_person_auc

MOST = 20  # images per person that pairs are formed from


class EmbeddingRun(Config):
    """`config.yaml` of a run."""

    embedding: Settings
    data: str


def train_embedding(
    data: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    resume: bool = False,
    run: ExecutionSettings | None = None,
) -> Path:
    """Train on a folder of people (`NAME/*.jpg`); returns the run directory.

    It contains `model/`, `metrics.json` (how well the embedding distinguishes held-out people), `metrics.jsonl` and
    checkpoints. Batches are a function of (seed, step) alone, so a resumed run repeats an uninterrupted one; on one
    machine, with the same number of threads, equal seeds give equal weights.

    Args:
        run: how it is executed: `device` (default: the CPU), `quiet`, `save_every`.

    Raises:
        Interrupted: a signal stopped training; a checkpoint was written.
        DataError: see `read_identities`.
        ConfigError: the folder is not empty, or with `resume` contains another run; another process trains in it; or a
            package is missing.
        TrainingError: the loss is no longer finite, or the disk is full.
    """
    require()
    settings, run, folder = settings or Settings(), run or ExecutionSettings(), Path(out)
    run = run.model_copy(update={"device": "cpu"}) if run.device == "auto" else run
    require_device(run.device)
    config = EmbeddingRun(embedding=settings, data=str(data))
    with words_for_a_full_disk(folder), holding(folder):
        check_free(folder, config, resume)
        train_alone(config, folder, run)
    return folder


def train_alone(config: EmbeddingRun, folder: Path, run: ExecutionSettings) -> None:
    """`train_embedding`, in a folder that this process holds."""
    settings = config.embedding
    learn, unseen = read_identities(Path(config.data), settings.size).split()
    if settings.people > len(learn.names):
        settings = settings.model_copy(update={"people": len(learn.names)})
    write_text(folder / "config.yaml", to_yaml(config))
    trainer = Trainer(settings, run.device)
    checkpoints, every = Checkpoints(folder / "checkpoints"), run.intervals(settings.steps).save
    if saved := checkpoints.load_last():
        trainer.load_state(saved)
        checkpoints.prune()  # a kill may have come right after saving
    shown = open_tracker(run.tracker, folder, trainer.step, config, run.quiet)
    log = Log(folder, trainer.step, settings.steps, "embedding", run.quiet, shown)
    with Stop() as stop, contextlib.closing(log):
        while trainer.step < settings.steps and not stop.asked:
            loss = trainer.move(*learn.batch(settings.seed, trainer.step, settings.people, settings.pictures))
            if trainer.step % max(1, settings.steps // 200) == 0:
                log.numbers(trainer.step, {"triplet": loss})
            log.progress.to(trainer.step)
            if trainer.step % every == 0 or trainer.step == settings.steps or stop.asked:
                checkpoints.save(trainer.step, trainer.state(), None)
        record = EmbeddingRecord(settings=settings, data=config.data, step=trainer.step, versions=versions())
        embedding = Embedding(trainer.network, record)
        embedding.save(folder / "model")
        results = measure_unseen(embedding, unseen)
        write_text(folder / "metrics.json", json.dumps(results.to_dict(), indent=2))
    if trainer.step < settings.steps:
        raise Interrupted(f"{folder}: stopped at step {trainer.step}; continue with --resume", stop.asked)


class Trainer:
    """The network and its optimiser."""

    def __init__(self, settings: Settings, device: str) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = EmbeddingNetwork(settings.length, settings.width).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        self.step, self.margin, self.device = 0, settings.margin, device

    def move(self, images: Tensor, people: Tensor) -> float:
        """Take one optimisation step; returns the loss."""
        self.network.train()
        loss = triplet_loss(self.network(images.to(self.device)), people.to(self.device), self.margin)
        if not bool(loss.isfinite()):
            raise TrainingError(f"the triplet loss is {float(loss)} at step {self.step}; lower --learning-rate")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


def check_free(folder: Path, config: EmbeddingRun, resume: bool) -> None:
    """Raise ConfigError if the folder, which this process holds, contains anything but the run to resume."""
    if all(path.name == NAME for path in folder.iterdir()):
        return
    if not resume or not (folder / "config.yaml").is_file():
        raise ConfigError(f"{folder} is not empty; give another --out, or --resume to continue its run")
    before = from_mapping(EmbeddingRun, saved_config(folder), str(folder / "config.yaml"))
    changed = differences(before.model_dump(mode="json"), yaml.safe_load(to_yaml(config)))
    if serious := [name for name in changed if name != "embedding.steps"]:
        raise ConfigError(
            f"{folder} was trained with a different {', '.join(serious)}; undo the change, or give another --out"
        )


def measure_unseen(embedding: Embedding, unseen: Identities) -> Results:
    """`auc_unseen` of the embedding and, for comparison, `auc_unseen_pixels` of the raw pixels."""
    rows = torch.cat([(unseen.people == one).nonzero().flatten()[:MOST] for one in range(len(unseen.names))])
    images, people = to_float(unseen.images[rows]), unseen.people[rows]
    protocol = Protocol(
        name="auc_unseen",
        metric="",
        libraries={},
        extractor=embedding.name,
        weights={"model.safetensors": embedding.digest},
        value_range="[-1, 1]",
        size=embedding.size,
        notes=(f"people whom training never saw: {unseen.names[0]} to {unseen.names[-1]}",),
    )
    pixels = protocol.model_copy(update={"name": "auc_unseen_pixels", "extractor": None, "weights": {}})
    return Results(
        {
            "auc_unseen": same_person_auc(embedding(images), people, protocol),
            "auc_unseen_pixels": same_person_auc(images.flatten(1), people, pixels),
        }
    )
