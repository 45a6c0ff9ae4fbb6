"""What super-resolution is measured against: the plain bicubic enlargement, and the low resolution that was given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ...core.images import enlarge, to_float, to_uint8
from ...data.derived import blocks
from ...runs.measured import Measured, Protocol, libraries
from .fidelity import fidelity


def against_low_resolution(
    batches: Iterable[tuple[Tensor, Tensor]], raws: Sequence[Tensor], factor: int, measures: Iterable[str]
) -> dict[str, Measured]:
    """`rmse_bicubic`, `psnr_bicubic`, ... of the bicubic enlargement, and `reduced_error` of the samples.

    The latter is the RMSE, scale 0..255, between samples that are made small again and what was given: 0 for every
    plausible answer.

    Args:
        batches: samples (1, S, 3, H, W) and truth (1, 3, H, W) in [-1, 1], one condition each.
        raws: the conditions, uint8 (3, H, W), each pixel repeated `factor` times each way.
    """
    truths, errors, samples = [], [], 0
    for (images, truth), raw in zip(batches, raws):
        truths.append(truth)
        samples = images.shape[1]
        given = small(raw, factor).double()
        again = torch.stack([small(reduced(one, factor), factor) for one in to_uint8(images[0])])
        errors.append(float((again.double() - given).square().mean().sqrt()))
    enlarged = ((enlarge(to_float(raw[None]), factor).clamp(-1, 1)[None], truth) for raw, truth in zip(raws, truths))
    found: dict[str, Measured] = {}
    for name, one in fidelity(enlarged, measures).items():
        if name.endswith("_mean"):
            record = one.protocol.model_copy(
                update={
                    "name": name.replace("_mean", "_bicubic"),
                    "notes": ("of the bicubic enlargement of what is given, not of samples",),
                }
            )
            found[record.name] = one.model_copy(update={"protocol": record})
    protocol = Protocol(
        name="reduced_error",
        metric="RMSE between samples made small again and what was given",
        libraries=libraries("variegate", "Pillow"),
        value_range="0..255",
        inputs=len(errors),
        samples=samples,
        size=(raws[0].shape[-2], raws[0].shape[-1]),
    )
    return found | {"reduced_error": Measured.mean(errors, unit="0..255", better="lower", protocol=protocol)}


def small(image: Tensor, factor: int) -> Tensor:
    """One pixel of each block of (C, H, W)."""
    return image[:, ::factor, ::factor]


def reduced(image: Tensor, factor: int) -> Tensor:
    """An image, uint8 (3, H, W), reduced as conditions are, in blocks."""
    return torch.from_numpy(blocks.reduce(image.permute(1, 2, 0).cpu().numpy(), factor)).permute(2, 0, 1)
