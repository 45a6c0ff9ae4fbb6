"""Do samples show what their label map says? A segmentation network's classes against those of the condition.

Works on images from label maps report the mean intersection over union of a network that was trained on real images.
None is included, and values say something only next to those of real images, measured with the same one: `miou_real`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.errors import DataError
from ...data.conditions.labels import Labels
from ...runs.measured import Measured, Protocol, libraries
from .plugged import Plugged


def segmentation(
    batches: Iterable[tuple[Tensor, Tensor, Tensor]], labels: Labels, segmenter: Plugged, notes: tuple[str, ...] = ()
) -> dict[str, Measured]:
    """`miou` and `pixel_accuracy` of samples, and of the real images with `_real`; pooled over all conditions.

    Args:
        batches: samples (S, 3, H, W) and real image (3, H, W) in [-1, 1], and class ids (H, W), of one condition each.
        labels: says how many classes there are, and which one is void and left out.
        segmenter: returns scores (B, classes, h, w), resized to the image's size if necessary.

    Raises:
        DataError: the segmenter's output is not one score per class and pixel.
    """
    drawn, real = (torch.zeros(labels.classes, labels.classes, dtype=torch.double) for _ in range(2))
    size, samples, count = (0, 0), 0, 0
    for images, truth, ids in batches:
        size, samples, count = (images.shape[-2], images.shape[-1]), len(images), count + 1
        drawn += confusion(segmenter, images, ids, labels)
        real += confusion(segmenter, truth[None], ids, labels)
    protocol = Protocol(
        name="miou",
        metric="mean intersection over union of the classes that occur",
        libraries=libraries("variegate", "torchmetrics", *segmenter.packages),
        extractor=segmenter.description,
        weights=segmenter.weights,
        resize=segmenter.resize,
        value_range=segmenter.value_range,
        inputs=count,
        samples=samples,
        size=size,
        notes=("pooled over all pixels of all conditions, void left out", *segmenter.notes, *notes),
    )
    found: dict[str, Measured] = {}
    for suffix, matrix in (("", drawn), ("_real", real)):
        for name, value in (("miou", mean_iou(matrix)), ("pixel_accuracy", accuracy(matrix))):
            changes = {
                "name": name + suffix,
                "metric": protocol.metric if name == "miou" else "share of pixels of the right class",
                "samples": 1 if suffix else samples,
            }
            record = protocol.model_copy(update=changes)
            found[record.name] = Measured(value=value, n=count, unit="share", better="higher", protocol=record)
    return found


def confusion(segmenter: Plugged, images: Tensor, ids: Tensor, labels: Labels) -> Tensor:
    """Pixels by true class (rows) and class found (columns), of images (B, 3, H, W) with ids (H, W)."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    scores = segmenter(images)
    if scores.ndim != 4 or scores.shape[1] != labels.classes:
        raise DataError(
            f"{segmenter.description}: must return a score for each of the {labels.classes} classes of the label maps, "
            f"(B, {labels.classes}, H, W), got shape {tuple(scores.shape)}"
        )
    if scores.shape[-2:] != ids.shape:
        scores = F.interpolate(scores, tuple(ids.shape), mode="bilinear", align_corners=False)
    found, true = scores.argmax(dim=1), ids.long().expand(len(images), -1, -1)
    counted: Tensor = multiclass_confusion_matrix(found, true, labels.classes, ignore_index=labels.void)
    return counted.double()


def mean_iou(matrix: Tensor) -> float:
    """Over classes that occur in the conditions."""
    shared, occurs = matrix.diagonal(), matrix.sum(dim=1) > 0
    union = matrix.sum(dim=0) + matrix.sum(dim=1) - shared
    return float((shared / union.clamp(min=1))[occurs].mean())


def accuracy(matrix: Tensor) -> float:
    return float(matrix.diagonal().sum() / matrix.sum().clamp(min=1))
