"""The encoder of an auto-encoder: an image to a short vector (van den Oord et al., NIPS 2016, section 2.4).

The paper names a "traditional convolutional auto-encoder" (Masci et al., 2011) without sizes; these are those of public
code for 28x28 images, with a linear vector in place of its softmax.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import ConfigError
from ...core.interfaces import Size

WIDTHS = (100, 150, 200)


class Bottleneck(nn.Sequential):
    """(B, C, H, W) to (B, length, 1, 1). Images of another size are resized to the one it was built for.

    Args:
        scale: multiplies the widths of its three convolutions.

    Raises:
        ConfigError: the images cannot be halved twice.
    """

    def __init__(self, channels: int, length: int, size: Size, scale: float = 1.0) -> None:
        if min(size) < 4:
            raise ConfigError(
                f"images of {size[0]}x{size[1]} (height x width) cannot be halved twice, as an auto-encoder requires; "
                "give --size 4 or more"
            )
        first, second, third = (max(1, round(width * scale)) for width in WIDTHS)
        left = (size[0] // 4, size[1] // 4)
        super().__init__(
            nn.Conv2d(channels, first, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(second, third, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(third, length, left),  # one position: a linear layer over all maps
        )
        self.size = size

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[-2:] != self.size:
            image = F.interpolate(image, self.size, mode="bilinear", antialias=True)
        vector: Tensor = super().forward(image)
        return vector
