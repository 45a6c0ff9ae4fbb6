"""Measures for PixelCNN's claims: receptive field, recognition, sharpness, paths between embeddings, file sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.compression import compress
from variegate.core.images import to_pil
from variegate.core.interfaces import Shapes, Size
from variegate.data.dataset.pairs import Pairs
from variegate.generators.pixelcnn import PixelCNN, PixelCNNConfig
from variegate.model.model import Model
from variegate.model.sequences import adjacent_difference
from variegate.randomness.none import NoRandomness
from variegate.runs.folder import RunFolder

from .pixelcnn_trials import UNSEEN

EPOCHS, BATCH = 20, 64


def untrained(stacks: str, filter: int, colours: int, size: Size, layers: int) -> PixelCNN:
    """Build a network with random double-precision weights; biases keep the last ReLUs active, so nothing is hidden."""
    torch.manual_seed(0)
    config = PixelCNNConfig(stacks=stacks, filter=filter, first_filter=filter, layers=layers, width=6, head=6, bits=3)  # type: ignore[arg-type]
    generator = config.build(NoRandomness(), Shapes(0, colours, size)).double()
    with torch.no_grad():
        generator.head.hidden.bias += 10_000  # type: ignore[operator]
        if stacks == "gated":
            generator.stack.layers[-1].output.bias += 100
    return generator.eval().requires_grad_(False)


def sight(generator: PixelCNN, place: tuple[int, int], colour: int) -> Tensor:
    """Return how much the logits of one value depend on each value (C, H, W): the magnitude of the derivative."""
    torch.manual_seed(1)
    image = torch.rand(1, *generator.shape, dtype=torch.float64).mul(2).sub(1).requires_grad_()
    empty = image.new_zeros(1, 0, *image.shape[2:])
    logits = generator.network(image, generator.projections(empty))[0, colour, :, place[0], place[1]]
    (logits * torch.randn_like(logits)).sum().backward()
    assert image.grad is not None
    return image.grad[0].abs()


def allowed(shape: Sequence[int], place: tuple[int, int], colour: int) -> Tensor:
    """Return which values (C, H, W) precede a value."""
    colours, height, width = shape
    order = torch.arange(colours * height * width).view(height, width, colours).permute(2, 0, 1)
    return order < order[colour, place[0], place[1]]


def leaks_and_blind(stacks: str, filter: int, colours: int, size: Size = (6, 6), layers: int = 8) -> tuple[int, int]:
    """Count, over all values of an image, those that see themselves or later ones, and those that miss earlier ones."""
    generator, leaks, blind = untrained(stacks, filter, colours, size, layers), 0, 0
    for y, x, colour in product(range(size[0]), range(size[1]), range(colours)):
        seen, may = sight(generator, (y, x), colour) > 0, allowed((colours, *size), (y, x), colour)
        leaks += bool((seen & ~may).any())
        blind += bool((may & ~seen).any())
    return leaks, blind


class Classifier(nn.Sequential):
    """A small convolutional network that is trained only on the real images of a data set, never on samples."""

    def __init__(self, colours: int, classes: int) -> None:
        def block(before: int, after: int) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]

        widths = (32, 64, 128)
        layers = [
            *block(colours, widths[0]),
            nn.MaxPool2d(2),
            *block(*widths[:2]),
            nn.MaxPool2d(2),
            *block(*widths[1:]),
        ]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[2], classes))


def classifier(pairs: Pairs, classes: int, seed: int = 0) -> Classifier:
    """Train a classifier with Adam at 1e-3 for a few epochs, with images shifted by up to an eighth of their side."""
    torch.manual_seed(seed)
    images, labels = images_and_labels(pairs)
    network = Classifier(images.shape[1], classes)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    reach = images.shape[-1] // 8
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):
            down, right = (int(torch.randint(-reach, reach + 1, ())) for _ in range(2))
            shifted = images[rows].roll((down, right), (2, 3))
            optimizer.zero_grad()
            F.cross_entropy(network(shifted), labels[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval().requires_grad_(False)


def images_and_labels(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Return images (N, C, H, W) in [-1, 1] and classes (N,)."""
    raws, images = zip(*(pairs.raw(i) for i in range(len(pairs))))
    return torch.stack(images).float() / 127.5 - 1, torch.stack([raw[0, 0, 0] for raw in raws]).long()


def recognised(network: Classifier, images: Tensor, labels: Tensor) -> float:
    return float((network(images).argmax(dim=1) == labels).float().mean())


def drawn_by_class(model: Model, classes: Sequence[str], each: int) -> tuple[Tensor, Tensor]:
    """Sample images (N, C, H, W) in [-1, 1]; returns them and the requested classes."""
    images = torch.cat([model.sample(f"class:{name}", n=each).images for name in classes]) * 2 - 1
    return images, torch.arange(len(classes)).repeat_interleave(each)


def sharpness(images: Tensor) -> float:
    """Return the mean absolute difference of neighbouring pixels of (..., H, W)."""
    return float(images.diff(dim=-1).abs().mean() + images.diff(dim=-2).abs().mean()) / 2


def unseen(run: Path) -> list[Tensor]:
    """Return one embedding (D,) of each unseen person."""
    held = RunFolder(run).pairs("test")
    return [held.raw(i)[0][:, 0, 0].float() for i in range(0, len(held), len(held) // UNSEEN)]


def way(model: Model, start: Tensor, end: Tensor, frames: int, seed: int) -> Tensor:
    """Sample images (frames, C, H, W) for vectors on a straight line, all with the same code."""
    shares = torch.linspace(0, 1, frames)
    vectors = [start.lerp(end, share).numpy() for share in shares.tolist()]
    return model.sequence(vectors, seed=seed).images


def smoothness(model: Model, ends: Sequence[tuple[Tensor, Tensor]], frames: int = 9) -> tuple[float, ...]:
    """Return L1 distances, averaged over paths: of adjacent images, their maximum, of the ends, and of two codes."""
    each = []
    for seed, (start, end) in enumerate(ends):
        images = way(model, start, end, frames, seed)
        steps = adjacent_difference(images)
        codes = adjacent_difference(model.sample(start.numpy(), n=4, seed=seed).images)
        each.append((steps.mean(), steps.max(), (images[0] - images[-1]).abs().mean(), codes.mean()))
    return tuple(float(torch.stack(values).mean()) for values in zip(*each))


def stored_beyond(model: Model, pairs: Pairs, count: int) -> tuple[float, float]:
    """Return the coded images' size relative to the model's prediction, and the bits per value actually stored."""
    with TemporaryDirectory() as place:
        files, conditions = [], []
        for i in range(count):
            raw, image = pairs.raw(i)
            to_pil(image).save(file := Path(place) / f"{i}.png")
            files.append(file)
            conditions.append(raw)
        size = compress(model, files, Path(place) / "pictures.vgz", conditions)
    return 8 * size.images / size.information, 8 * size.images / size.values
