"""Pre-trained weights: from the folder VARIEGATE_WEIGHTS, else through torchvision's own download."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.errors import WeightsError, did_you_mean

FOLDER = "VARIEGATE_WEIGHTS"
# What a download may raise: no network, a wrong hash, a truncated file in torch.hub's cache.
FAILURES = (OSError, RuntimeError, EOFError, pickle.UnpicklingError)
NETWORK_TIMEOUT = 5.0  # seconds until an unresponsive network counts as absent


class Known(NamedTuple):
    """Where the weights of one network come from and what still works without them."""

    file: str  # in the folder named by VARIEGATE_WEIGHTS
    torchvision: str | None  # a member of torchvision's weights enumerations; None: no download
    without: str


class Weights(NamedTuple):
    """A network's state dict and what a protocol records about it."""

    state: dict[str, Tensor]
    digest: str  # first 12 hex digits of a sha256: of the file, or of the tensors if torchvision loaded them
    source: str


NO_PERCEPTUAL = (
    "training needs no such file with `--perceptual laplacian` (of both stages, if there are two: also "
    "`--previous.objective.perceptual laplacian`; pixelnn: `--generator.descriptor laplacian`)"
)
NO_LPIPS = "the diversity `pixel` and the other LPIPS networks need no such file"
KNOWN: dict[str, Known] = {
    "alexnet": Known("alexnet_features.safetensors", "AlexNet_Weights.IMAGENET1K_V1", NO_LPIPS),
    "squeezenet1_1": Known("squeezenet1_1.safetensors", "SqueezeNet1_1_Weights.IMAGENET1K_V1", NO_LPIPS),
    "vgg16": Known(
        "vgg16_features.safetensors",
        "VGG16_Weights.IMAGENET1K_V1",
        "training needs no such file with `--perceptual laplacian --reduction mean --weight-decay 0`; of diversities, "
        "`pixel` and the other LPIPS networks need none",
    ),
    "vgg19": Known(
        "vgg19_features.safetensors",
        "VGG19_Weights.IMAGENET1K_V1",
        NO_PERCEPTUAL,
    ),
    "vgg19_conv1to3_caffe_bgr": Known(
        "vgg19_conv1to3_caffe_bgr.safetensors",
        None,
        NO_PERCEPTUAL,
    ),
    "inception": Known(
        "weights-inception-2015-12-05-6726825d.pth",  # not safetensors: torch-fidelity reads it, not `load`
        None,
        "frechet_squeezenet, kid_squeezenet and their AlexNet forms need no such file",
    ),
}


def folder() -> Path | None:
    """The folder that VARIEGATE_WEIGHTS names, or None if it is not set."""
    named = os.environ.get(FOLDER)
    return Path(named).expanduser() if named else None


def find(name: str) -> Path | None:
    """The safetensors file of a known network in the folder VARIEGATE_WEIGHTS, or None."""
    place = folder()
    path = place / find_entry(name).file if place else None
    return path if path and path.is_file() else None


def network_file(path: str | Path) -> Path:
    """Find a network's file: at the path as given, or in the folder VARIEGATE_WEIGHTS.

    Raises:
        WeightsError: it is in neither place.
    """
    path, place = Path(path).expanduser(), folder()
    for candidate in (path, place / path if place else path):
        if candidate.is_file():
            return candidate
    where = f"and none in {place}" if place else f"and {FOLDER} names no folder to look in"
    raise WeightsError(f"{path}: there is no such file, {where}")


def load(name: str) -> Weights:
    """State dict of a known network: the file if it is there, else torchvision's download (cached by torch.hub).

    Raises:
        WeightsError: neither the file nor a connection is available; the message says which file goes where, and what
            works without it.
    """
    entry, path = find_entry(name), find(name)
    if path is not None:
        return Weights(read(path), file_digest(path), path.name)
    if entry.torchvision is None:
        raise missing(entry, "and it cannot be downloaded")
    return download(entry)


def find_entry(name: str) -> Known:
    if name not in KNOWN:
        raise WeightsError(f"there are no weights named {name!r}; {did_you_mean(name, KNOWN)}")
    return KNOWN[name]


def missing(entry: Known, why: str) -> WeightsError:
    """The error in one sentence: the file, where to put it, and what works without it."""
    place = folder()
    where = f"put it into {place}" if place else f"set {FOLDER} to a folder that contains it"
    return WeightsError(f"{entry.file} was not found {why}: {where}; {entry.without}")


def read(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, floating ones as float32."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a valid safetensors file ({error}); copy it again") from None
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def download(entry: Known) -> Weights:
    """Load through torchvision, from torch.hub's cache if the file was fetched before."""
    from torchvision import models

    member = models.get_weight(str(entry.torchvision))
    try:
        with impatient(member.url):
            state = member.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except FAILURES as error:
        raise missing(entry, f"and downloading {member.url} failed ({error})") from None
    return Weights(dict(state), tensor_digest(state), f"torchvision {entry.torchvision}")


@contextmanager
def impatient(url: str) -> Iterator[None]:
    """Raise OSError within seconds if there is no network; a file in torch.hub's cache needs none."""
    if cache_path(url).is_file():
        yield
        return
    reach(url)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def cache_path(url: str) -> Path:
    """Where torch.hub caches the file of a URL."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name


def reach(url: str) -> None:
    """Request the URL once; in a thread, because DNS look-ups ignore socket timeouts."""
    problems: list[str] = ["no answer"]

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT):
                problems.clear()
        except urllib.error.HTTPError:
            problems.clear()  # it responds; the download itself will tell whether the file is there
        except OSError as error:
            problems[:] = [str(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_TIMEOUT)
    if problems:
        raise OSError(f"{problems[0]} within {NETWORK_TIMEOUT:g} s" if problems[0] == "no answer" else problems[0])


def fill(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load what a network needs from a state dict, which may contain more, such as the layers of a classifier.

    Raises:
        WeightsError: a tensor is missing, which would stay random, or has another shape.
    """
    own = network.state_dict()
    wrong = next((key for key, tensor in own.items() if key not in state or state[key].shape != tensor.shape), None)
    if wrong is not None:
        raise WeightsError(
            f"{find_entry(name).file} has no {wrong} of shape {tuple(own[wrong].shape)}; save it from torchvision's "
            f"{name}, with the original names"
        )
    network.load_state_dict({key: state[key] for key in own})


def file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def tensor_digest(state: Mapping[str, Tensor]) -> str:
    return tensor_sha256(state).hex()[:12]


def tensor_sha256(state: Mapping[str, Tensor]) -> bytes:
    """sha256 over names, shapes, types and bytes, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        total.update(tensor.numpy().tobytes())
    return total.digest()
