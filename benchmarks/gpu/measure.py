"""One row: the library's own training step, or its own sampling, on a device."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from variegate.core.interfaces import Batch, Features, Generator, Shapes
from variegate.core.method import Method
from variegate.core.sampling import decode_in_chunks
from variegate.evaluation.measuring.cost import peak_bytes
from variegate.runs.settings import ExecutionSettings
from variegate.training.loop import laid_out, one_step
from variegate.training.state import State

from .cases import Case

CLASSES = 8  # of the label maps that are conditions
CHUNK = 16
SECONDS, QUICKLY, LEAST, MOST = 2.0, 0.1, 3, 50  # of repeats
IMAGES = {"quick": 4, "small": 64, "published": 32}
Row = dict[str, Any]


def row(case: Case, device: str, seed: int) -> Row:
    """Seconds, images per second and memory of a case.

    Raises:
        Exception: whatever the case raises, such as torch.cuda.OutOfMemoryError.
    """
    chosen = case.chosen()
    height, width = case.size
    shapes = Shapes(4 if chosen.generator.fills_holes else CLASSES, 3, (height, width))
    torch.manual_seed(seed)
    make = training if case.task == "training" else sampling
    began = perf_counter()
    task, images, parameters = make(case, chosen, shapes, device, seed)
    task()
    settle(device)
    first = perf_counter() - began
    times = repeated(task, device, QUICKLY if case.quick else SECONDS)
    found = {
        "seconds": median(times),
        "spread": [min(times), max(times)],
        "repeats": len(times),
        "images": images,
        "images_per_second": images / median(times),
        "seconds_per_image": median(times) / images,
        "seconds_until_first": first,
        "parameters": parameters,
    }
    if case.method != "gated-pixelcnn" or device != "cpu":  # whose record of the memory of every value would be long
        found["peak_megabytes"] = memory(task, device) / 1e6
    return found


def repeated(task: Callable[[], object], device: str, seconds: float) -> list[float]:
    times: list[float] = []
    while len(times) < LEAST or (sum(times) < seconds and len(times) < MOST):
        began = perf_counter()
        task()
        settle(device)
        times.append(perf_counter() - began)
    return times


def settle(device: str) -> None:
    """Wait for the device."""
    if device != "cpu":
        torch.accelerator.synchronize()


def memory(task: Callable[[], object], device: str) -> int:
    """Peak bytes of tensors, of weights too on a GPU, whose allocator counts them."""
    if device == "cpu":
        return peak_bytes(lambda: (task(), None)[1], torch.device("cpu"))
    torch.cuda.reset_peak_memory_stats()
    task()
    return int(torch.cuda.max_memory_allocated())


def conditions(count: int, shapes: Shapes, device: str, seed: int) -> Tensor:
    """Label maps (B, K, H, W), or images with a hole in the middle."""
    height, width = shapes.size
    stream = torch.Generator().manual_seed(seed)
    ids = torch.randint(CLASSES, (count, height, width), generator=stream)
    planes = F.one_hot(ids, CLASSES).movedim(-1, 1).float()[:, : shapes.condition_channels]
    if shapes.condition_channels < CLASSES:
        planes[:, -1] = 0
        planes[:, -1, height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 1
    return planes.to(device)


def training(
    case: Case, chosen: Method, shapes: Shapes, device: str, seed: int
) -> tuple[Callable[[], object], int, int]:
    """A step as the loop takes it, the images that it learns from, and the generator's parameters."""
    run = ExecutionSettings(
        seed=seed,
        device=device,  # type: ignore[arg-type]
        precision="bf16-mixed" if case.switch == "bf16" else "32-true",
        channels_last=case.switch != "contiguous",
        compile=case.switch == "compile",
        quiet=True,
    )
    fabric, state, settings = run.fabric(), State(chosen, shapes, run, None), chosen.training
    state.set_up(fabric, settings)
    count = settings.batch_size
    index = torch.arange(count, device=device)
    image = torch.rand(count, 3, *shapes.size, generator=torch.Generator().manual_seed(seed)).to(device) * 2 - 1
    batch = Batch(conditions(count, shapes, device, seed), image, index, index)
    batch = laid_out(batch) if run.channels_last else batch

    def step() -> object:
        state.step = 0  # schedules and pools stay where they are
        return one_step(fabric, state, batch, settings, seed)

    updates = getattr(chosen.objective, "inner_steps", 0) * getattr(chosen.objective, "inner_batch", 0)
    return step, updates or count, sum(parameter.numel() for parameter in state.generator.parameters())


def sampling(
    case: Case, chosen: Method, shapes: Shapes, device: str, seed: int
) -> tuple[Callable[[], object], int, int]:
    """Images of one condition, drawn and brought to the processor."""
    generator = chosen.build_generator(shapes).eval().requires_grad_(False).to(device)
    layout = torch.contiguous_format if case.switch == "contiguous" else torch.channels_last
    generator.to(memory_format=layout)  # type: ignore[call-overload]
    condition = conditions(1, shapes, device, seed).contiguous(memory_format=layout)
    images = IMAGES["quick" if case.quick else "published" if case.published else "small"]
    codes = generator.draw([(seed, index) for index in range(images)])
    if case.switch in ("compile", "overhead"):
        mode = "reduce-overhead" if case.switch == "overhead" else "default"
        generator.decode = torch.compile(generator.decode, mode=mode)  # type: ignore[method-assign]
    if case.switch == "graphs":
        return graphed(generator, condition, codes), images, sum(p.numel() for p in generator.parameters())

    def draw() -> object:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=case.switch == "bf16"):
            return decode_in_chunks(generator, condition, codes, CHUNK)

    return draw, images, sum(parameter.numel() for parameter in generator.parameters())


@torch.no_grad()
def graphed(generator: Generator, condition: Tensor, codes: Tensor) -> Callable[[], object]:
    """Sampling whose decoder is captured once as a CUDA graph of CHUNK codes, and then replayed."""
    if condition.device.type != "cuda":
        raise ValueError("CUDA graphs need a CUDA card")
    features: Features = generator.encode(condition).repeat(CHUNK)
    given = codes[:CHUNK].to(condition.device)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            generator.decode(features, given)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        images = generator.decode(features, given)

    def draw() -> object:
        drawn = []
        for part in codes.split(CHUNK):
            given.copy_(part)
            graph.replay()
            drawn.append(images.clamp(-1, 1).float().cpu())
        return torch.cat(drawn)

    return draw
