"""PixelCNN's claims (van den Oord et al., NIPS 2016); `pixelcnn_trials` describes the data they are measured on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import torch

from variegate.core.errors import TrainingError
from variegate.evaluation.metrics.condition_use import costs
from variegate.evaluation.metrics.likelihood import BITS, likelihood
from variegate.generators.pixelcnn import PixelCNN
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from . import pixelcnn_figures as figures
from .pixelcnn_large import first_steps
from .pixelcnn_measures import (
    classifier,
    drawn_by_class,
    images_and_labels,
    leaks_and_blind,
    recognised,
    sharpness,
    smoothness,
    stored_beyond,
    unseen,
)
from .pixelcnn_trials import (
    AUTOENCODERS,
    BY_CLASS,
    CIFAR,
    GATED_AND_PLAIN,
    PEOPLE,
    WIDE_AUTOENCODERS,
    portraits,
)
from .runs import Claim, Parts, Settings, Trial, by_name, every, prepare, save_figure, say, words

ALL = "digits, CIFAR-10 (7,000 images), streets"
claim = partial(Claim, data=ALL, paper="van den Oord et al. 2016")
HELD = 300  # maximum number of held-out images
DRAWN = 20  # samples per class
WAYS = 12
FILTERS = (3, 4, 5)
STORED = {"digits": 299, "CIFAR-10": 12}  # images
BEGINS = 20  # steps of the network for CIFAR-10
Rows = dict[str, dict[str, list[float]]]


def likelihoods(settings: Settings) -> list[Claim]:
    """Gated and plain networks, and the images that the gated ones store."""
    sets = [name for name in GATED_AND_PLAIN if name != "CIFAR-10" or CIFAR.is_file()]
    rows = trained([trial for name in sets for trial in GATED_AND_PLAIN[name]], settings)
    save_figure(settings, "blind-spot", figures.blind_spot())
    return [causality(), gated(rows, sets), compression(sets, settings)]


def classes(settings: Settings) -> list[Claim]:
    sets = [name for name in BY_CLASS if name == "digits" or CIFAR.is_file()]
    rows = trained([trial for name in sets for trial in BY_CLASS[name]], settings)
    if "CIFAR-10 at 16x16" in sets:
        save_figure(settings, "classes", figures.classes(settings))
    return [by_class(rows, name, settings) for name in sets]


def people(settings: Settings) -> list[Claim]:
    if not PEOPLE.is_dir():
        return []
    prepare([portraits(settings)], settings, measure=False)
    save_figure(settings, "portraits", figures.faces(settings))
    return interpolation(settings)


def reconstructions(settings: Settings) -> list[Claim]:
    pairs = [*AUTOENCODERS.values(), *WIDE_AUTOENCODERS.values()]
    prepare([trial for pair in pairs for trial in pair], settings, measure=False)
    for name in AUTOENCODERS:
        save_figure(settings, f"reconstructions-{name}", figures.reconstructions(name, settings))
    return [autoencoders(settings), wide_autoencoders(settings)]


def large(settings: Settings) -> list[Claim]:
    return [published(settings), begins(settings)] if CIFAR.is_file() else []


def trained(trials: list[Trial], settings: Settings) -> Rows:
    prepare(trials, settings, measure=False)
    return {trial.name: over_seeds(trial, settings, "bits", bits) for trial in trials}


def over_seeds(
    trial: Trial, settings: Settings, name: str, measured: Callable[[Trial, int, Settings], dict[str, float]]
) -> dict[str, list[float]]:
    """Return the values of every seed, each cached next to its run as NAME.json."""
    each = []
    for seed in settings.seeds:
        path = trial.run(seed, settings) / f"{name}.json"
        if trial.diverged(seed, settings):
            raise TrainingError(f"{trial.name}, seed {seed}: training diverged, so it cannot be measured")
        if not path.is_file():
            path.write_text(json.dumps(measured(trial, seed, settings)))
        each.append(json.loads(path.read_text()))
        say(f"{trial.name}, seed {seed}: {each[-1]}")
    return by_name(each)


def bits(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    folder = trial.run(seed, settings)
    model, held = Model.load(folder), RunFolder(folder).pairs("held")
    measured = likelihood(model.generator, held, 8 if settings.quick else HELD)
    assert measured is not None
    parameters = sum(p.numel() for p in model.generator.parameters())
    return {BITS: measured.results.measured[BITS].value, "parameters": parameters / 1e6}


def causality() -> Claim:
    found: dict[str, list[float]] = {}
    for stacks in ("gated", "plain"):
        for colours, filter in [(3, n) for n in FILTERS] + [(1, 3)]:
            leaks, blind = leaks_and_blind(stacks, filter, colours)
            found[f"{stacks}, {colours} colours, {filter}x{filter}"] = [float(leaks), float(blind)]
    gated = [value for name, value in found.items() if name.startswith("gated")]
    plain = [value for name, value in found.items() if name.startswith("plain")]
    return claim(
        "causality",
        "random weights, every colour, windows of odd and even sides: no value sees itself or what follows; two gated "
        "stacks see all that comes before, the single stack does not",
        not any(leaks for leaks, _ in found.values()) and not any(b for _, b in gated) and all(b for _, b in plain),
        "values of a 6x6 image that see what they must not / that do not see all they may: "
        + "; ".join(f"{name}: {leaks:.0f} / {blind:.0f}" for name, (leaks, blind) in found.items()),
        found,
        data="random weights, 6x6 images",
    )


def gated(rows: Rows, sets: list[str]) -> Claim:
    own = {name: [rows[trial.name] for trial in GATED_AND_PLAIN[name]] for name in sets}
    return claim(
        "gated",
        "with as many parameters and in the same time the gated network reaches fewer bits per dimension than the "
        "plain one, in every seed and on every data set",
        all(a < b for pair in own.values() for a, b in zip(pair[0][BITS], pair[1][BITS], strict=True)),
        "; ".join(
            f"{name}: gated {words(pair[0][BITS])} ({pair[0]['parameters'][0]:.3f} M parameters), plain "
            f"{words(pair[1][BITS])} ({pair[1]['parameters'][0]:.3f} M)"
            for name, pair in own.items()
        ),
        {f"{name}: {word}": pair[i][BITS] for name, pair in own.items() for i, word in enumerate(("gated", "plain"))},
    )


def by_class(rows: Rows, name: str, settings: Settings) -> Claim:
    trial, without = BY_CLASS[name]
    shares = over_seeds(trial, settings, "recognised", recognition)
    numbers = {"with class": rows[trial.name][BITS], "without": rows[without.name][BITS], **shares}
    return recognised_class(name, numbers)


def recognised_class(name: str, numbers: dict[str, list[float]]) -> Claim:
    """Judge recognition; on digits a class is worth 0.05 bits for each of 64 values, so their likelihood changes."""
    large, chance = name != "digits", 0.1
    pairs = zip(numbers["with class"], numbers["without"], strict=True)
    hardly = all(abs(b - a) < 0.01 * b for a, b in pairs) or not large
    return claim(
        f"class-{name.lower().partition(' ')[0]}",
        "a classifier that saw real images only recognises the class of samples at least three times as often as chance"
        + (", and knowing the class changes the likelihood by less than 1 %" if large else ""),
        all(share >= 3 * chance for share in numbers["drawn"]) and hardly,
        f"recognised: drawn {words(numbers['drawn'])}, real {words(numbers['real'])}, chance {chance}; bits per "
        f"dimension with class {words(numbers['with class'])}, without {words(numbers['without'])}",
        numbers,
        data=name,
    )


def recognition(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    folder = trial.run(seed, settings)
    model, held = Model.load(folder), RunFolder(folder).pairs("held")
    names = held.condition.names  # type: ignore[union-attr]
    network = classifier(RunFolder(folder).pairs(), len(names), seed)
    images, asked = drawn_by_class(model, names, 2 if settings.quick else DRAWN)
    return {"drawn": recognised(network, images, asked), "real": recognised(network, *images_and_labels(held))}


def interpolation(settings: Settings) -> list[Claim]:
    numbers = over_seeds(portraits(settings), settings, "ways", ways)
    told = "; ".join(f"{name} {words(values)}" for name, values in numbers.items()) + " (mean L1, images in [0, 1])"
    data = "grey portraits at 16x16 from embeddings"
    return [
        claim(
            "interpolation",
            "between the embeddings of two unseen people, with one code, portraits change, and smoothly: adjacent ones "
            "of nine differ by less than half of what the two ends do, and of what two codes of one embedding do",
            all(every(numbers[other], numbers["adjacent"], 2) for other in ("ends", "two codes")),
            told,
            numbers,
            data=data,
        ),
        claim(
            "jumps",
            "and no step is a jump: the largest of the eight is less than half of what two codes of one embedding do",
            every(numbers["two codes"], numbers["largest"], 2),
            told,
            numbers,
            data=data,
        ),
    ]


def ways(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    folder = trial.run(seed, settings)
    vectors = unseen(folder)
    ends = list(pairwise(vectors))[: 2 if settings.quick else WAYS]
    return dict(zip(("adjacent", "largest", "ends", "two codes"), smoothness(Model.load(folder), ends)))


def autoencoders(settings: Settings) -> Claim:
    numbers = reconstructed(AUTOENCODERS, settings)
    sharp = [
        abs(1 - numbers[f"{name}, PixelCNN: sharpness"][i]) < abs(1 - numbers[f"{name}, squared error: sharpness"][i])
        for name in AUTOENCODERS
        for i in range(len(settings.seeds))
    ]
    used = [value > 0.01 for name in AUTOENCODERS for value in numbers[f"{name}, PixelCNN: swapped"]]
    return claim(
        "autoencoder",
        "behind a vector of 10 numbers a PixelCNN draws images as sharp as the real ones where squared error blurs "
        "(differences of neighbouring pixels over those of the real images, nearer to 1 in every seed), and the "
        "vector is used (another image's costs more bits)",
        all(sharp) and all(used),
        "; ".join(f"{name} {words(values)}" for name, values in numbers.items()),
        numbers,
        data="digits; streets at 16x16",
    )


def wide_autoencoders(settings: Settings) -> Claim:
    numbers = reconstructed(WIDE_AUTOENCODERS, settings)
    return claim(
        "autoencoder-100",
        "the same with 100 numbers, the paper's other length (more than a digit has values): reported, not judged",
        None,
        "; ".join(f"{name} {words(values)}" for name, values in numbers.items()),
        numbers,
        data="digits; streets at 16x16",
    )


def reconstructed(pairs: Mapping[str, tuple[Trial, Trial]], settings: Settings) -> dict[str, list[float]]:
    """Return `reconstruction` of each data set's PixelCNN and squared-error auto-encoder, over seeds."""
    numbers: dict[str, list[float]] = {}
    for name, (pixels, squares) in pairs.items():
        for word, trial in (("PixelCNN", pixels), ("squared error", squares)):
            own = over_seeds(trial, settings, "reconstruction", reconstruction)
            numbers |= {f"{name}, {word}: {metric}": values for metric, values in own.items()}
    return numbers


def reconstruction(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    """Return sharpness relative to the real images, error, and the cost in bits per dimension of swapping vectors."""
    folder = trial.run(seed, settings)
    model, held = Model.load(folder), RunFolder(folder).pairs("held")
    count = 4 if settings.quick else 48
    real = torch.stack([held.raw(i)[1] for i in range(count)]).float() / 255
    if isinstance(model.generator, PixelCNN):  # at the model's levels: rounding alone sharpens images
        real = (model.generator.show(model.generator.quantise(real * 2 - 1)) + 1) / 2
    drawn = torch.cat([model.decode(held.raw(i)[0], model.codes(1, i)) for i in range(count)])
    found = {
        "sharpness": sharpness(drawn) / sharpness(real),
        "rmse": float((drawn - real).square().mean().sqrt()),
    }
    if model.generator.code_size:
        own, other = (costs(model, held, [(i, (i - k) % count) for i in range(count)]).mean() for k in (0, 1))
        found["swapped"] = float(other - own) / real[0].numel()
    return found


def compression(sets: list[str], settings: Settings) -> Claim:
    numbers = {}
    for name in [one for one in sets if one in STORED]:
        for metric, values in over_seeds(GATED_AND_PLAIN[name][0], settings, "stored", stored).items():
            numbers[f"{name}: {metric}"] = values
    beyond = [value for name, values in numbers.items() if name.endswith("over") for value in values]
    return claim(
        "compression",
        "images are stored in at most 2 % more than the bits that the model says (names and classes not counted)",
        all(value <= 1.02 for value in beyond),
        "; ".join(f"{name} {words(values)}" for name, values in numbers.items()),
        numbers,
        data="digits; CIFAR-10",
    )


def stored(trial: Trial, seed: int, settings: Settings) -> dict[str, float]:
    folder = trial.run(seed, settings)
    count = STORED[trial.name.partition(",")[0]]
    over, per_value = stored_beyond(Model.load(folder), RunFolder(folder).pairs("held"), 2 if settings.quick else count)
    return {"over": over, "bits per value": per_value}


def published(settings: Settings) -> Claim:
    parameters, told = first_steps("imagenet", 2 if settings.quick else 8, 2, "bf16-mixed", settings)
    return claim(
        "published",
        "the network of the published size (20 layers of 384 maps, 5x5) builds, has about 121 M parameters (and the "
        "layer that reads the image), and takes steps of training under automatic mixed precision (bits per dimension "
        "of its batches are finite)",
        120 < parameters < 126 and all(map(math.isfinite, told)),
        f"{parameters:.1f} M parameters; bits per dimension of its batches: " + ", ".join(f"{one:.3f}" for one in told),
        {"parameters": [parameters], BITS: told},
        data="CIFAR-10, batches of 2, bfloat16",
    )


def begins(settings: Settings) -> Claim:
    parameters, told = first_steps("cifar10", 2 if settings.quick else BEGINS, 4, "32-true", settings)
    return claim(
        "cifar10",
        "the network for CIFAR-10, which is meant to reach 3.03 bits per dimension on one large GPU, as far as it was "
        "run here: bits per dimension of its first batches (training)",
        None,
        f"{parameters:.1f} M parameters; " + ", ".join(f"step {i}: {told[i]:.2f}" for i in range(0, len(told), 5)),
        {BITS: told},
        data="CIFAR-10, batches of 4",
    )


PARTS: Parts = {
    "likelihoods": likelihoods,
    "classes": classes,
    "people": people,
    "reconstructions": reconstructions,
    "large": large,
}
