"""Which numbers of a code change the image: each is drawn anew while the others stay (a total effect, Sobol 1990)."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.interfaces import Generator
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_pair
from ...runs.measured import Measured, Protocol, libraries

MOST = 32  # numbers of a code that are tried one by one
CONDITIONS, DRAWS = 3, 4


def is_vector(generator: Generator) -> bool:
    """Whether codes are short vectors, of which each number can be tried."""
    return 2 <= generator.code_size <= MOST and generator.alternatives is None


def code_use(generator: Generator, pairs: Pairs, seed: int = 0) -> dict[str, Measured]:
    """How many of the numbers of a code are used, in effect; the share of each is in the details."""
    size, count = generator.code_size, min(CONDITIONS, len(pairs))
    apart, numbers = torch.zeros(size, dtype=torch.float64), torch.arange(size)
    for item in range(count):
        codes = generator.draw([(seed, 2 * DRAWS * item + i) for i in range(2 * DRAWS)])
        first, others = codes.chunk(2)
        changed = first.repeat(size, 1, 1)  # (D, DRAWS, D), in block d number d comes from others
        changed[numbers, :, numbers] = others.T
        drawn = sample_pair(generator, pairs, item, torch.cat([first, changed.flatten(0, 1)]))
        moved = drawn[DRAWS:].unflatten(0, (size, DRAWS))
        apart += (moved - drawn[:DRAWS]).abs().flatten(2).double().mean(dim=(1, 2)) / count
    shares = apart / apart.sum().clamp(min=1e-12)
    record = Protocol(
        name="code_dimensions",
        metric="exponential of the entropy of how much each number of a code changes the image",
        libraries=libraries("variegate", "torch"),
        value_range="[-1, 1]",
        inputs=count,
        samples=2 * DRAWS,
        seed=seed,
        size=pairs.size,
        notes=(f"of {size} numbers",),
        details=(f"shares: {in_words(shares)}",),
    )
    used = float(torch.special.entr(shares).sum().exp()) if float(apart.sum()) > 0 else 0.0
    return {"code_dimensions": Measured(value=used, n=count, unit="numbers", better="higher", protocol=record)}


def in_words(shares: Tensor) -> str:
    return ", ".join(f"{share:.0%}" for share in shares.tolist())
