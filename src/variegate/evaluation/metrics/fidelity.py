"""How close samples are to the ground truth: RMSE, PSNR, SSIM and FSIM of the best, the ten best and all samples.

Where only a hole is to be filled, the first three are of the pixels inside it: those around it are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from ...core.errors import ConfigError, DataError
from ...core.images import to_unit
from ...runs.measured import Better, Measured, Protocol, libraries
from .aggregate import aggregate

PSNR_LIMIT = 100.0  # dB; identical images would give infinity, which cannot be averaged
WINDOW = 11  # pixels, of SSIM
LONGEST_WAVE = 48  # pixels, of FSIM's filters: 6 doubled three times; it does not fit into smaller images


class Measure(NamedTuple):
    """A full-reference measure: (n, 3, H, W) and (n, 3, H, W) in [0, 1], of pixels (H, W), None for all, to (n,)."""

    compute: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    unit: str
    better: Better
    description: str
    packages: tuple[str, ...]


def pixels_of(images: Tensor, where: Tensor | None) -> Tensor:
    """Images (n, 3, H, W), or their pixels `where` as images of one row (n, 3, 1, P)."""
    return images if where is None else images[..., where].unsqueeze(2)


def rmse(images: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """Root mean squared error over pixels and channels, on the scale 0..255."""
    from torchmetrics.functional import mean_squared_error

    ours, real = (pixels_of(each, where).flatten(1).T.contiguous() for each in (images, truth))
    return 255 * mean_squared_error(ours, real, squared=False, num_outputs=len(images)).view(-1)


def psnr(images: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB, at most `PSNR_LIMIT`."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    both = (pixels_of(images, where), pixels_of(truth, where))
    ratios = peak_signal_noise_ratio(*both, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return ratios.clamp(max=PSNR_LIMIT)


def ssim(images: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """Structural similarity (Wang et al. 2004), Gaussian window 11 x 11 of deviation 1.5, mean over RGB.

    As in the authors' code, only whole windows count; torchmetrics by default also averages over mirrored borders. Of
    some pixels, it is the mean over the windows around them.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    if min(images.shape[-2:]) < WINDOW:
        raise DataError(f"SSIM needs images of at least {WINDOW} x {WINDOW}, got {tuple(images.shape[-2:])}")
    whole = structural_similarity_index_measure(
        images, truth, data_range=1.0, reduction="none", return_full_image=True
    )[1]
    inner = (..., slice(WINDOW // 2, -(WINDOW // 2)), slice(WINDOW // 2, -(WINDOW // 2)))
    if where is not None and not where[inner].any():
        raise DataError(f"SSIM needs whole windows of {WINDOW} x {WINDOW}, but a hole is nearer to the border")
    return pixels_of(whole[inner], None if where is None else where[inner]).mean(dim=(1, 2, 3))


def fsim(images: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """Feature similarity with colour (FSIMc, Zhang et al. 2011), computed by piq; always of whole images."""
    if find_spec("piq") is None:
        raise ConfigError("FSIM needs the package piq; run pip install 'variegate[evaluation]'")
    import piq

    return piq.fsim(images, truth, reduction="none", data_range=1.0, chromatic=True)


MEASURES: dict[str, Measure] = {
    "rmse": Measure(rmse, "0..255", "lower", "root mean squared error, scale 0..255", ("torchmetrics", "torch")),
    "psnr": Measure(psnr, "dB", "higher", f"PSNR, at most {PSNR_LIMIT:g} dB", ("torchmetrics", "torch")),
    "ssim": Measure(
        ssim,
        "SSIM",
        "higher",
        "SSIM, Gaussian window 11, deviation 1.5, whole windows, mean over RGB",
        ("torchmetrics", "torch"),
    ),
    "fsim": Measure(fsim, "FSIM", "higher", "FSIM with colour (FSIMc)", ("piq", "torch")),
}
DEFAULT = ("rmse", "psnr", "ssim")


@torch.no_grad()
def per_sample(images: Tensor, truth: Tensor, measure: Measure, where: Tensor | None = None) -> Tensor:
    """Compare every sample with the true image: (B, S, 3, H, W) and (B, 3, H, W) in [-1, 1] to (B, S).

    Args:
        where: the pixels (H, W) that count, bool; None: all.
    """
    if images.ndim != 5 or truth.shape != images[:, 0].shape:
        raise DataError(
            f"expected images (B, S, 3, H, W) and truth (B, 3, H, W), got {tuple(images.shape)}, {tuple(truth.shape)}"
        )
    samples = images.shape[1]
    flat = (to_unit(images.flatten(0, 1))).clamp(0, 1)
    target = (to_unit(truth.repeat_interleave(samples, dim=0))).clamp(0, 1)
    return measure.compute(flat, target, where).unflatten(0, (-1, samples))


def measures_for(size: tuple[int, int]) -> tuple[str, ...]:
    """The measures for images of size (H, W): includes SSIM if its window fits, and FSIM if its longest filter also
    fits and piq is installed."""
    if min(size) < WINDOW:
        return tuple(name for name in DEFAULT if name != "ssim")
    return (*DEFAULT, "fsim") if find_spec("piq") is not None and min(size) >= LONGEST_WAVE else DEFAULT


def fidelity(
    batches: Iterable[tuple[Tensor, Tensor]],
    measures: Iterable[str] = DEFAULT,
    notes: tuple[str, ...] = (),
    holes: Iterable[Tensor | None] = repeat(None),
) -> dict[str, Measured]:
    """`<measure>_best`, `_mean`, `_top10` and `_best_of_n`, see `aggregations`: means over conditions, 95 % interval.

    The best sample is chosen separately for each measure. The best of more samples is better by chance alone, so values
    are comparable only for equal S (recorded in the protocol).

    Args:
        batches: samples (B, S, 3, H, W) and truth (B, 3, H, W), both in [-1, 1]; S is the same in all.
        notes: further notes for every record.
        holes: the pixels (H, W) that count, one of each batch; None: all.
    """
    names = tuple(measures)
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise ConfigError(f"unknown measure {unknown[0]!r}; choose from {', '.join(MEASURES)}")
    rows: dict[str, list[Tensor]] = {name: [] for name in names}
    size, counts = (0, 0), set()
    for (images, truth), hole in zip(batches, holes):
        size = (images.shape[-2], images.shape[-1])
        counts.add(images.shape[1])
        for name in names:
            rows[name].append(per_sample(images, truth, MEASURES[name], hole).double().cpu())
    if len(counts) != 1:
        raise DataError(f"all conditions need the same number of samples, got {sorted(counts) or 'no conditions'}")
    results: dict[str, Measured] = {}
    for name in names:
        measure = MEASURES[name]
        protocol = Protocol(
            name=name,
            metric=measure.description,
            libraries=libraries(*measure.packages),
            value_range="[0, 1], clamped, not rounded",
            size=size,
            notes=notes,
        )
        results |= aggregate(name, torch.cat(rows[name]), measure.unit, measure.better, protocol)
    return results
