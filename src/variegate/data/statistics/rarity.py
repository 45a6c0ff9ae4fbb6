"""How rare the appearance of each class is in each image (Li, Zhang, Malik, ICCV 2019, section 3.3).

    R_p(k) = 1 / D_p(c_k(p)),   c_k(p): mean colour of class p in image k,   D_p: kernel density of these colours

Deviations, which keep 1/density bounded: densities are clamped to at least a hundredth of the class's largest; a class
needs 0.1 % of an image for its colour to be trusted, and 10 such images to have a density (68 as released); densities
are fitted to colours with noise of one grey level of 255, since colours on a line have none; and pixels of a class
without a score weigh as much as the image's commonest class, where the released code takes whatever the order of
classes gives.

As published, scores of different classes are compared directly: a class whose colours vary widely outweighs one whose
colours hardly vary, on streets by a factor of more than 20. `even` scores have mean 1 in every class instead.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import ConfigError, with_article
from ...core.progress import watched
from ..conditions.labels import Labels
from ..dataset.pairs import Pairs

FLOOR = 0.01  # lowest density, as a share of the class's largest
SMALLEST = 0.001  # share of the image below which a class's mean colour is unreliable, by default
FEWEST = 10  # images with a class needed to fit a density
GRAIN = 1.0  # grey levels of 255: standard deviation of the noise added to colours before a density is fitted


class Rarity:
    """Rarity scores of a data set with label maps.

    Attributes:
        scores: (N, P) rarity of class p in image k, 1 / density in grey levels^-3, 0 where the class is absent.
        even: the same, scaled to mean 1 over the images that contain the class.
        smallest: share of the image up to which a class has no score: the mean colour of a few pixels tells little.

    Raises:
        ConfigError: the conditions are images, which have no classes, or do not belong to their images.
    """

    def __init__(self, pairs: Pairs, served: int = 5, even: bool = False, smallest: float = SMALLEST) -> None:
        if not isinstance(pairs.condition, Labels):
            raise ConfigError(
                f"rarity needs label maps, but the condition of {pairs.name} is {with_article(pairs.condition.noun)}; "
                "give data with label maps, or train with --rebalance none"
            )
        if pairs.unpaired:
            raise ConfigError(
                f"rarity needs pairs of label map and image, but {pairs.name} is unpaired; train with --rebalance none"
            )
        colours, shares = class_colours(pairs, pairs.condition.classes)
        columns = [rarity(colours[:, p], shares[:, p] > smallest) for p in range(shares.shape[1])]
        self.scores = np.stack(columns, axis=1)
        usable = np.where(self.scores.sum(axis=0) > 0, shares.sum(axis=0), 0.0)
        self.smallest = smallest
        self._largest = [int(p) for p in np.argsort(-usable)[:served] if usable[p] > 0]
        self._name = f"{pairs.name} ({len(pairs)} images)"
        self.even = self.scores / np.maximum(mean_present(self.scores), np.finfo(float).tiny)
        self.table = torch.from_numpy(self.even if even else self.scores).float()

    @property
    def served(self) -> list[int]:
        """The classes with the largest total area, five as published; data rebalancing divides the stream among them.

        Loss rebalancing weights every class with a score; if no class is served, none has a score.

        Raises:
            ConfigError: no class occurs often enough.
        """
        if not self._largest:
            raise ConfigError(
                f"rarity needs a class that covers more than {self.smallest:.1%} of {FEWEST} images or more, and "
                f"{self._name} has none; add images, or train with --rebalance none"
            )
        return self._largest

    def weight(self, raw: Tensor, index: Tensor) -> Tensor:
        """Loss weights (B, 1, H, W) in (0, 1]: each pixel's class score over the largest of its image.

        Args:
            raw: class ids (B, 1, H, W), optionally followed by boundaries (B, 2, H, W).
            index: items of the data set (B,).
        """
        raw = raw[:, :1]
        table = self.table.to(raw.device)[index]  # (B, P)
        lowest = torch.where(table > 0, table, torch.inf).amin(dim=1, keepdim=True)
        lowest = lowest.nan_to_num(posinf=1.0)  # no class of the image has a score: all its pixels count equally
        table = torch.where(table > 0, table, lowest)  # classes without a score count as the image's commonest
        weight = table.gather(1, raw.flatten(1).long()).reshape(raw.shape)
        return weight / weight.amax(dim=(1, 2, 3), keepdim=True)


def class_colours(pairs: Pairs, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean colour (N, P, 3) in 0..255 and share of the area (N, P) of every class in every image."""
    colours, shares = np.zeros((len(pairs), classes, 3)), np.zeros((len(pairs), classes))
    for k in watched(range(len(pairs)), "mean colours of classes", len(pairs)):
        raw, image = pairs.raw(k)
        image = image.expand(3, -1, -1)
        ids = raw[0].flatten().numpy()
        pixels = np.bincount(ids, minlength=classes)
        for channel in range(3):
            sums = np.bincount(ids, weights=image[channel].flatten().numpy(), minlength=classes)
            colours[k, :, channel] = sums / np.maximum(pixels, 1)
        shares[k] = pixels / len(ids)
    return colours, shares


def mean_present(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean score (P,) of each class over the images that have one; 0 if none has."""
    return scores.sum(axis=0) / np.maximum((scores > 0).sum(axis=0), 1)


def rarity(colours: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 / density of the mean colours (N, 3) of one class; 0 where it is absent, and everywhere if it is too rare."""
    from scipy.stats import gaussian_kde

    scores = np.zeros(len(colours))
    if present.sum() < FEWEST:
        return scores
    points = colours[present].T
    grain = np.random.default_rng(0).normal(0.0, GRAIN, points.shape)
    density = gaussian_kde(points + grain)(points)  # Scott's bandwidth, as released
    scores[present] = 1 / np.maximum(density, FLOOR * density.max())
    return scores
