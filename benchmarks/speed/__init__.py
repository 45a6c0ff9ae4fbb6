"""Speed and size: `python -m benchmarks.speed NAME` measures one of `BENCHMARKS` and writes its JSON file."""

from __future__ import annotations

from collections.abc import Callable

from . import (
    basisgan_host,
    branches,
    bulk,
    encode_once,
    evaluation,
    family,
    large_images,
    loading,
    matching,
    moments,
    neighbours,
    pairwise_lpips,
    pixelcnn,
    startup,
    studio,
)
from .results import Row, Settings

BENCHMARKS: dict[str, Callable[[Settings], list[Row]]] = {
    "encode_once": encode_once.rows,
    "evaluation": evaluation.rows,
    "basisgan_host": basisgan_host.rows,
    "branches": branches.rows,
    "bulk": bulk.rows,
    "family": family.rows,
    "large_images": large_images.rows,
    "loading": loading.rows,
    "matching": matching.rows,
    "moments": moments.rows,
    "neighbours": neighbours.rows,
    "pairwise_lpips": pairwise_lpips.rows,
    "pixelcnn": pixelcnn.rows,
    "startup": startup.rows,
    "studio": studio.rows,
}
