"""What is fuzzed: good files of each kind, how they are damaged, and who reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from . import damage
from .trials import config, training


class Target(NamedTuple):
    """One kind of file.

    Attributes:
        file: the one that is damaged; whatever lies in its folder is there when it is read.
        read: reads it, and may raise only the library's own errors.
        weight: its share of the inputs.
    """

    kind: str
    file: Path
    damage: Callable[..., bytes]
    read: Callable[[Path], object]
    weight: int = 1


def photo(height: int = 24, width: int = 32) -> Image.Image:
    rng = np.random.default_rng(height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def build(root: Path) -> None:
    """Write the good files; training and compressing take a few seconds, so it is done in a child."""
    from variegate.compression import compress
    from variegate.data.dataset.opening import DataConfig
    from variegate.data.dataset.packing import Limits, pack
    from variegate.model.model import Model
    from variegate.training.train import train

    root.mkdir(parents=True, exist_ok=True)
    images, ids = root / "images", np.tile(np.arange(6, dtype=np.uint8)[:, None] // 2, (4, 32))
    images.mkdir()
    for suffix in ("png", "jpg", "bmp", "gif", "webp", "tif", "ppm"):
        photo().save(images / f"photo.{suffix}")
    Image.fromarray((np.arange(24 * 32, dtype=np.uint16) * 80).reshape(24, 32)).save(images / "deep.png")
    photo().quantize(16).save(images / "palette.png")
    photo().convert("RGBA").save(images / "alpha.png")
    Image.fromarray(ids).save(images / "ids.png")
    for split in ("train", "val"):
        for side, content in (("label", Image.fromarray(ids)), ("img", photo(24, 32))):
            folder = root / "pairs" / f"{split}_{side}"
            folder.mkdir(parents=True)
            for i in range(3):
                content.save(folder / f"{i}.png")
    (root / "pairs" / "classes.json").write_text(json.dumps(["road", "house", "sky"]))
    for place in ("arrays", "vectors", "codes"):
        (root / place).mkdir()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    np.savez(root / "arrays" / "data.npz", images=pixels, labels=np.arange(4) % 2)
    np.save(root / "vectors" / "vectors.npy", rng.normal(size=(6, 4)).astype(np.float32))
    np.savez(root / "vectors" / "vectors.npz", vectors=rng.normal(size=(2, 4)), names=np.array(["a", "b"]))
    training("pix2pix", root / "run", 2, 2)()
    Model.load(root / "run").sample(np.zeros((32, 32), dtype=np.uint8), n=2).save(root / "codes")
    small = {"layers": 2, "width": 9, "bits": 3, "batch_size": 1, "steps": 1, "size": (8, 8), "quiet": True}
    train("gated-pixelcnn", root / "pairs", root / "pixels", device="cpu", **small)
    (root / "compressed").mkdir()
    one = root / "compressed" / "one.png"
    Image.fromarray(pixels[0]).save(one)
    compress(Model.load(root / "pixels"), [one], one.with_suffix(".vgz"), [ids[:8, :8]], reduce=True)
    pack(DataConfig(path=str(root / "pairs")), root / "shards", Limits(10**6))
    (root / "network").mkdir()
    (root / "network" / "network.onnx").write_bytes(chain())


def chain() -> bytes:
    """An ONNX file of an identity and a square root, in protobuf's wire format."""

    def varint(value: int) -> bytes:
        low, rest = value & 127, value >> 7
        return bytes([low | 128]) + varint(rest) if rest else bytes([low])

    def field(number: int, value: Any) -> bytes:
        if isinstance(value, int):
            return varint(number << 3) + varint(value)
        content = value.encode() if isinstance(value, str) else value
        return varint(number << 3 | 2) + varint(len(content)) + content

    nodes = (field(1, a) + field(2, b) + field(4, kind) for a, b, kind in (("x", "y", "Identity"), ("y", "z", "Sqrt")))
    sides = b"".join(field(1, side) for side in (field(2, "n"), field(1, 3), field(1, 16), field(1, 16)))
    given = field(1, "x") + field(2, field(1, field(1, 1) + field(2, sides)))
    result = field(1, "z") + field(2, field(1, field(1, 1)))
    graph = b"".join(field(1, node) for node in nodes) + field(2, "g") + field(11, given) + field(12, result)
    return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)


def targets(root: Path) -> list[Target]:
    """All of them, for files that `build` wrote."""
    found = [
        Target(f"image {file.suffix[1:]}", file, damage.png if file.suffix == ".png" else damage.any_bytes, image, 2)
        for file in sorted((root / "images").iterdir())
    ]
    run, pairs, packed = root / "run", root / "pairs", root / "shards"
    step = next((run / "checkpoints").glob("step-*"))
    return [
        *found,
        Target("label map", root / "images" / "ids.png", damage.png, labels, 4),
        Target("label map", root / "images" / "palette.png", damage.png, labels, 4),
        Target("folder of pairs", pairs / "train_label" / "0.png", damage.png, folder_of(pairs), 4),
        Target("folder of pairs", pairs / "classes.json", damage.json_text, folder_of(pairs), 2),
        Target("config.yaml", run / "config.yaml", damage.yaml_text, settings, 8),
        Target("config.json", run / "model" / "config.json", damage.json_text, model, 8),
        Target("model.safetensors", run / "model" / "model.safetensors", damage.safetensors, model, 4),
        Target("state.pt", step / "state.pt", damage.state, checkpoint(run), 4),
        Target("score.json", step / "score.json", damage.json_text, checkpoint(run), 2),
        Target("metrics.jsonl", run / "metrics.jsonl", damage.any_bytes, numbers, 2),
        Target("archive .vgz", root / "compressed" / "one.vgz", damage.vgz, archive(root / "pixels"), 6),
        Target("ONNX network", root / "network" / "network.onnx", damage.any_bytes, network, 4),
        Target("arrays .npz", root / "arrays" / "data.npz", damage.zipped(damage.npy), arrays, 4),
        Target("vectors", root / "vectors" / "vectors.npy", damage.npy, vectors, 2),
        Target("vectors", root / "vectors" / "vectors.npz", damage.zipped(damage.npy), vectors, 2),
        Target("codes", root / "codes" / "codes.safetensors", damage.safetensors, codes, 2),
        Target("index of shards", packed / "variegate.json", damage.json_text, folder_of(packed), 4),
        Target("shard .tar", min(packed.glob("*.tar")), damage.any_bytes, folder_of(packed), 4),
    ]


def image(file: Path) -> None:
    from variegate.data.files import images

    for ask in (images.size_of, images.mode_of, images.is_turned, images.has_deep_colours, images.frames_of):
        ask(file)
    images.shallow_white([file])
    images.read_image(file)


def labels(file: Path) -> None:
    from variegate.data.files.images import read_labels

    read_labels(file, str(file))


def folder_of(root: Path) -> Callable[[Path], None]:
    def read(_: Path) -> None:
        from variegate.core.errors import VariegateError
        from variegate.data import open_data
        from variegate.data.checks.check import check

        with suppress(VariegateError):  # opening must say so too, and in its own words
            check(root).text()
        opened = open_data(root)
        for i in range(min(2, len(opened))):
            opened.raw(i)

    return read


def settings(file: Path) -> None:
    from variegate.runs.folder import RunFolder
    from variegate.training import start

    run = file.parent
    start.with_defaults(run)
    start.refuse_foreign(run)
    folder = RunFolder(run)
    folder.config.method.build_objective  # noqa: B018 read and validated
    folder.pairs("train").raw(0)


def model(file: Path) -> None:
    from variegate.model.model import Model

    Model.load(file.parent).sample(np.zeros((32, 32), dtype=np.uint8), n=1)


def checkpoint(run: Path) -> Callable[[Path], None]:
    """As a resumed training reads it, up to its first step."""

    def read(_: Path) -> None:
        from variegate.runs.checkpoints import Checkpoints
        from variegate.training.state import State

        checkpoints, chosen = Checkpoints(run / "checkpoints"), config("pix2pix", 2)
        checkpoints.best()
        checkpoints.waited()
        saved = checkpoints.load_last()
        state = State(chosen.method, chosen.data.open().shapes, chosen.run, saved)
        state.set_up(chosen.run.fabric(), chosen.method.training)
        for step in checkpoints.steps():
            checkpoints.raw_weights(step)

    return read


def numbers(file: Path) -> None:
    from variegate.runs.folder import RunFolder
    from variegate.runs.logs import step_of

    RunFolder(file.parent).log()
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        step_of(line)


def archive(run: Path) -> Callable[[Path], None]:
    def read(file: Path) -> None:
        from variegate.compression import decompress
        from variegate.model.model import Model

        decompress(Model.load(run), file, file.parent.with_name("restored"))

    return read


def network(file: Path) -> None:
    import torch

    from variegate.networks.onnx import OnnxNetwork

    OnnxNetwork(file)(torch.zeros(1, 3, 16, 16))


def arrays(file: Path) -> None:
    from variegate.data import open_data

    opened = open_data(file, condition="class")
    for i in range(min(2, len(opened))):
        opened.raw(i)


def vectors(file: Path) -> None:
    from variegate.data.files.vectors import read_vectors

    read_vectors(file)


def codes(file: Path) -> None:
    from variegate.model.samples import files_of, read_codes

    files_of(file)
    read_codes(file)
