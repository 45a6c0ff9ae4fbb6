"""Streets, whose hidden factors can be read: the modes that samples reach, and how many of them are readable."""

from __future__ import annotations

from ...core.interfaces import Generator
from ...core.processes import shared
from ...core.progress import watched
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_pair
from ...data.streets.streets import read
from ...runs.measured import Better, Measured, Protocol, libraries
from ..metrics.modes import PRECISION_OF, RARE, Modes, modes
from .drawn import WhichCodes, codes_for

MODE_LAYOUTS, MODE_DRAWS = 8, 200


def mode_results(
    generator: Generator,
    pairs: Pairs,
    seed: int,
    which: WhichCodes = "both",
    layouts: int = MODE_LAYOUTS,
    draws: int = MODE_DRAWS,
) -> tuple[dict[str, Measured], dict[tuple[str, ...], int]]:
    """Mode coverage, rare recall, precision and total variation on streets, and samples per mode over all layouts.

    Precision also by factor and for time of day and paint together, `precision_of_time` and so on, of the layouts that
    show the factor. The fewer draws are readable, the greater is the total variation, even of true images.
    """
    draws = draws if which != "trained" or generator.fixed_codes is None else len(generator.fixed_codes)
    count = min(layouts, len(pairs))

    def count_modes(item: int) -> Modes:
        layout = pairs.layout(item)
        assert layout is not None, "only streets have modes"
        return modes(read(sample_pair(generator, pairs, item, codes_for(generator, item, draws, seed, which)), layout))

    each = shared(watched(range(count), "layouts whose modes are counted", count), count_modes)
    totals = {mode: sum(one.counts[mode] for one in each) for mode in each[0].counts}
    words: dict[str, tuple[str, Better]] = {
        "coverage": ("share of the time of day x facade paint combinations reached", "higher"),
        "rare_recall": (f"the same among combinations with odds of at most {RARE:.0%}", "higher"),
        "precision": ("share of draws in which every factor of the street can be read", "higher"),
        "total_variation": ("half the L1 distance of the readable draws to the true odds", "lower"),
    }
    values = {name: [float(getattr(one, name)) for one in each] for name in words}
    for what in dict.fromkeys(what for one in each for what in one.readable):
        name = PRECISION_OF + what.replace(" x ", "_and_")
        words[name] = (f"share of draws in which {what} can be read, on layouts that show it", "higher")
        values[name] = [one.readable[what] for one in each if what in one.readable]
    measured = {}
    for name, (metric, better) in words.items():
        record = Protocol(
            name=name,
            metric=metric,
            libraries=libraries("variegate", "numpy"),
            value_range="[-1, 1]",
            inputs=len(values[name]),
            samples=draws,
            seed=seed,
            size=pairs.size,
            notes=("factors are read from colours by counting, no network in between",),
        )
        measured[name] = Measured.mean(values[name], unit="share", better=better, protocol=record)
    return measured, totals
