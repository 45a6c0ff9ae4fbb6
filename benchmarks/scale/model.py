"""The simulation: every resource takes some seconds of each image or step, and the slowest one sets the pace.

Resources work side by side (a pipeline), so the time is the largest of their terms, not the sum; real pipelines come
near that, not to it. Everything here is arithmetic on counts, measurements and ASSUMPTIONS.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

GPUS = (1, 8, 64)
MILLION = 1_000_000


class Assumptions(NamedTuple):
    """What was not measured here: a cluster of eight-GPU machines, in round numbers of the order of 2024's."""

    card_flops: float = 990e12
    utilisation: float = 0.3
    launch_seconds: float = 5e-6
    gpus_per_node: int = 8
    encoders_per_gpu: int = 6
    readers_per_gpu: int = 2
    node_disk: float = 2e9
    shared_storage: float = 10e9
    link: float = 200e9
    network: float = 25e9
    images_per_condition: int = 16
    start_seconds: float = 60.0
    bytes_per_weight: int = 4


MEANINGS: dict[str, str] = {
    "card_flops": "peak of a card in bf16, FLOP/s",
    "utilisation": "share of the peak that convolutions reach",
    "launch_seconds": "seconds between two kernels of one stream",
    "gpus_per_node": "GPUs of a machine",
    "encoders_per_gpu": "cores of the machine that encode PNGs, for each GPU",
    "readers_per_gpu": "cores of the machine that read data, for each GPU",
    "node_disk": "bytes/s that a machine writes",
    "shared_storage": "bytes/s that the storage takes from all machines together",
    "link": "bytes/s between GPUs of a machine",
    "network": "bytes/s between machines, for each",
    "images_per_condition": "images drawn of each condition, which is encoded once",
    "start_seconds": "seconds until the first image: imports, weights, first kernels",
    "bytes_per_weight": "bytes of a gradient",
}
DEFAULT = Assumptions()


class Outcome(NamedTuple):
    """The pace of some GPUs together.

    Attributes:
        terms: seconds of an image (sampling) or a step (training) by resource, of all GPUs together.
        seconds: of the whole job.
    """

    gpus: int
    terms: dict[str, float]
    seconds: float

    @property
    def bottleneck(self) -> str:
        return max(self.terms, key=lambda name: self.terms[name])

    @property
    def gpu_hours(self) -> float:
        return self.gpus * self.seconds / 3600


def sample(
    counted: Mapping[str, Any], parts: Mapping[str, float], gpus: int, given: Assumptions = DEFAULT, measured: float = 0
) -> Outcome:
    """Drawing a million images and writing them as PNGs.

    Args:
        counted: the entry "sampling" of a method's counts.
        parts: measured seconds of encoding and of reading an image on one core, and bytes of a PNG.
        measured: seconds per image of one GPU; 0: from the counts.
    """
    nodes = ceil(gpus / given.gpus_per_node)
    adds = counted["multiply_adds_encode"] / given.images_per_condition + counted["multiply_adds_decode"]
    terms = {
        "PNG encoding": parts["png_seconds"] / (given.encoders_per_gpu * gpus),
        "disk": parts["png_bytes"] / (given.node_disk * nodes),
        "shared storage": parts["png_bytes"] / given.shared_storage,
        "reading": parts["read_seconds"] / given.images_per_condition / (given.readers_per_gpu * gpus),
    }
    if measured:
        terms = {"GPU, measured": measured / gpus} | terms
    else:
        terms = {
            "arithmetic": 2 * adds / (given.card_flops * given.utilisation) / gpus,
            "kernel launches": counted["operations"] * given.launch_seconds / counted["chunk"] / gpus,
        } | terms
    return Outcome(gpus, terms, given.start_seconds + MILLION * max(terms.values()))


def train(
    counted: Mapping[str, Any], parts: Mapping[str, float], gpus: int, given: Assumptions = DEFAULT, measured: float = 0
) -> Outcome:
    """Learning from as many images as the preset's training does, with the preset's batch on every GPU.

    Gradients travel while others are computed; a ring sends each weight twice, but for a share of 1/n.

    Args:
        counted: the entry "training" of a method's counts.
        measured: seconds of a step of one GPU; 0: from the counts.
    """
    nodes, weights = ceil(gpus / given.gpus_per_node), counted["parameters"] * given.bytes_per_weight
    inside = min(gpus, given.gpus_per_node)
    terms = {
        "gradients in a machine": 2 * (inside - 1) / inside * weights / given.link,
        "gradients between machines": 2 * (nodes - 1) / nodes * weights / given.network,
        "reading": 2 * counted["batch"] * parts["read_seconds"] / given.readers_per_gpu,
    }
    if measured:
        terms = {"GPU, measured": measured} | terms
    else:
        terms = {
            "arithmetic": 2 * counted["multiply_adds"] / (given.card_flops * given.utilisation),
            "kernel launches": counted["operations"] * given.launch_seconds,
        } | terms
    return Outcome(gpus, terms, given.start_seconds + counted["steps"] / gpus * max(terms.values()))
