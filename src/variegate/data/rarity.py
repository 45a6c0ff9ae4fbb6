"""How rare the appearance of each class is in each image (Li, Zhang, Malik, ICCV 2019, section 3.3).

    R_p(k) = 1 / D_p(c_k(p)),   c_k(p): mean colour of class p in image k,   D_p: kernel density of these colours

Two deviations keep 1/density bounded: densities below a hundredth of the class's largest count as that, and colours are
not trusted where a class covers less than 0.1 % of an image.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError
from .conditions import Labels
from .pairs import Pairs

FLOOR = 0.01  # of the largest density of a class
SMALLEST = 0.001  # share of the image below which a class's mean colour says nothing
FEWEST = 10  # images with a class, for a density to mean something


class Rarity:
    """Scores of a data set with label maps.

    Attributes:
        scores: (N, P) rarity of class p in image k, mean 1 over the images that hold the class, 0 where it is absent.

    Raises:
        ConfigError: the conditions are pictures, which have no classes.
    """

    def __init__(self, pairs: Pairs, served: int = 5) -> None:
        if not isinstance(pairs.condition, Labels):
            raise ConfigError(
                f"rarity needs label maps, the conditions of {pairs.name} are pictures; "
                "leave training.rebalance at none"
            )
        colours, shares = class_colours(pairs, pairs.condition.classes)
        columns = [rarity(colours[:, p], shares[:, p] > SMALLEST) for p in range(shares.shape[1])]
        self.scores = np.stack(columns, axis=1)
        usable = np.where(self.scores.sum(axis=0) > 0, shares.sum(axis=0), 0.0)
        self._largest = [int(p) for p in np.argsort(-usable)[:served] if usable[p] > 0]
        self._name = f"{pairs.name} ({len(pairs)} images)"
        self.table = torch.from_numpy(self.scores).float()

    @property
    def served(self) -> list[int]:
        """The classes with the largest total area, five as published; data rebalancing divides the stream among them.

        Raises:
            ConfigError: no class is seen often enough.
        """
        if not self._largest:
            raise ConfigError(
                f"rarity needs a class that covers more than {SMALLEST:.1%} of {FEWEST} images or more, and "
                f"{self._name} has none; add images, or leave training.rebalance at none"
            )
        return self._largest

    def weight(self, raw: Tensor, index: Tensor) -> Tensor:
        """Loss weights (B, 1, H, W) in (0, 1]: each pixel's class score over the largest of its image.

        Args:
            raw: class ids (B, 1, H, W), perhaps with boundaries behind them (B, 2, H, W).
            index: items of the data set (B,).
        """
        raw = raw[:, :1]
        table = self.table.to(raw.device)[index]  # (B, P)
        lowest = torch.where(table > 0, table, torch.inf).amin(dim=1, keepdim=True)
        lowest = lowest.nan_to_num(posinf=1.0)  # no class of the image has a score: its pixels all count alike
        table = torch.where(table > 0, table, lowest)  # classes without a score count as the commonest of the image
        weight = table.gather(1, raw.flatten(1).long()).reshape(raw.shape)
        return weight / weight.amax(dim=(1, 2, 3), keepdim=True)


def class_colours(pairs: Pairs, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean colour (N, P, 3) in 0..255 and share of the area (N, P) of every class in every image."""
    colours, shares = np.zeros((len(pairs), classes, 3)), np.zeros((len(pairs), classes))
    for k in range(len(pairs)):
        raw, image = pairs.raw(k)
        ids = raw[0].flatten().numpy()
        pixels = np.bincount(ids, minlength=classes)
        for channel in range(3):
            sums = np.bincount(ids, weights=image[channel].flatten().numpy(), minlength=classes)
            colours[k, :, channel] = sums / np.maximum(pixels, 1)
        shares[k] = pixels / len(ids)
    return colours, shares


def rarity(colours: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 / density of the mean colours (N, 3) of one class, mean 1; zeros where the class is absent or too seldom."""
    from scipy.stats import gaussian_kde

    scores = np.zeros(len(colours))
    if present.sum() < FEWEST:
        return scores
    points = colours[present].T
    try:
        density = gaussian_kde(points)(points)  # Scott's bandwidth, as released
    except np.linalg.LinAlgError:  # the class has one colour, or colours on a line: all are equally common
        density = np.ones(points.shape[1])
    inverse = 1 / np.maximum(density, FLOOR * density.max())
    scores[present] = inverse / inverse.mean()
    return scores
