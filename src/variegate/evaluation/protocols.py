"""The papers' diversity protocols, by name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..core.config import Config
from ..core.errors import ConfigError, did_you_mean

Pairing = Literal["all", "consecutive", "disjoint", "random"]


class DiversityPreset(Config):
    """The number of conditions and samples, and the pairs to compare, behind a paper's diversity value.

    All pairings estimate the same mean distance between two independent samples, but with different variance.
    """

    name: str
    inputs: int = Field(ge=1)
    samples: int = Field(ge=2)
    pairing: Pairing
    pairs: int | None = Field(default=None, ge=1, description="random: how many, drawn without replacement")
    in_sets: int | None = Field(
        default=None, ge=1, description="samples of each condition in distances of sets, the first; default: all"
    )
    version: Literal["0.0", "0.1"] = "0.1"
    net: str = "alex"
    verified: bool = Field(default=True, description="all its numbers were found in the paper's text or public code")
    description: str
    remarks: tuple[str, ...] = Field(default=(), description="notes on the other metrics measured with it")

    def count(self) -> int:
        """Pairs per condition."""
        every = self.samples * (self.samples - 1) // 2
        counts = {"all": every, "consecutive": self.samples - 1, "disjoint": self.samples // 2}
        return counts.get(self.pairing, self.pairs or every)


LIKELIHOOD = "likelihood"  # the protocol that samples nothing
LATENT_DROPOUT = (
    "unverified: whether latent dropout codes chooses the best sample for each measure by itself, as here",
)

DIVERSITY: dict[str, DiversityPreset] = {
    preset.name: preset
    for preset in (
        DiversityPreset(
            name="default", inputs=100, samples=10, pairing="all", description="all 45 pairs of 10 samples, 100 inputs"
        ),
        DiversityPreset(
            name="quick", inputs=10, samples=5, pairing="all", description="all 10 pairs of 5 samples, 10 inputs"
        ),
        DiversityPreset(
            name="bicyclegan",
            inputs=100,
            samples=20,
            pairing="consecutive",
            description="BicycleGAN: 19 consecutive pairs of 20 samples, 100 inputs (from its issue threads). "
            "Published with an early LPIPS; v0.1 values are 2.3 to 2.4 times larger",
        ),
        DiversityPreset(
            name="msgan",
            inputs=100,
            samples=50,
            pairing="random",
            pairs=50,
            verified=False,
            description="MSGAN, also BasisGAN: 50 random pairs of 50 samples; unverified: 100 inputs, LPIPS version",
        ),
        DiversityPreset(
            name="dsgan",
            inputs=100,
            samples=40,
            pairing="disjoint",
            in_sets=20,
            version="0.0",
            description="DSGAN: 20 separate pairs, 100 inputs, LPIPS v0.0, 20 samples of each in distances of sets "
            "(its code); here one of its 20 trials",
        ),
        DiversityPreset(
            name="mrgan",
            inputs=300,
            samples=20,
            pairing="random",
            pairs=10,
            verified=False,
            description="MR-GAN: 10 random pairs of 20 samples, 300 inputs; unverified: LPIPS net and version",
        ),
        DiversityPreset(
            name="cimle",
            inputs=100,
            samples=80,
            pairing="disjoint",
            verified=False,
            description="conditional IMLE: 40 pairs, 100 inputs; unverified: 80 samples (or pairs of fewer), LPIPS net "
            "and version",
        ),
        DiversityPreset(
            name="latent-dropout",
            inputs=686,
            samples=72,
            pairing="all",
            verified=False,
            description="latent dropout codes, animal heads: 72 samples of 686 test inputs; the paper reports no "
            "LPIPS, so that its pairs are unverified",
            remarks=LATENT_DROPOUT,
        ),
        DiversityPreset(
            name="latent-dropout-faces",
            inputs=1711,
            samples=10,
            pairing="all",
            verified=False,
            description="latent dropout codes, faces: 10 samples of all 1,711 test inputs; the paper reports no LPIPS, "
            "so that its pairs are unverified",
            remarks=LATENT_DROPOUT,
        ),
    )
}


def diversity_preset(name: str) -> DiversityPreset:
    """A diversity protocol by name.

    Raises:
        ConfigError: there is no such protocol; the message gives the closest name.
    """
    if name not in DIVERSITY:
        raise ConfigError(f"there is no protocol {name!r}; {did_you_mean(name, [*DIVERSITY, LIKELIHOOD])}")
    return DIVERSITY[name]
