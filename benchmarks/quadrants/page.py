"""The table of what the rest of a digit costs."""

from __future__ import annotations

from typing import Any

from ..speed.results import measured_with

# the table of Pyro's tutorial on conditional variational auto-encoders: Bernoulli cross-entropy of grey MNIST, 28x28
PYRO = {"network without codes": (100.4, 61.9, 25.4), "conditional VAE, Monte Carlo": (71.8, 51.0, 24.2)}


def section(content: dict[str, Any]) -> str:
    given = list(next(iter(content["rows"].values()))["nats"])
    lines = ["| -log p, nats | " + " | ".join(f"{n} given" for n in given) + " | what it is, with 1 given |"]
    lines.append("|" + "---|" * (len(given) + 2))
    for name, row in content["rows"].items():
        cells = [f"{row['nats'][n]:.1f} ± {row['interval'][n]:.1f}" for n in given]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {row['how'][given[0]]} |")
    for name, values in PYRO.items():
        told = "published for MNIST (28x28, grey values as probabilities) by Pyro's tutorial: another quantity"
        lines.append(f"| {name} | " + " | ".join(f"{value:g}" for value in values) + f" | {told} |")
    lines += [
        "",
        f"`{content['command']}`: {content['data']}; ± 95 % of the mean over digits; {measured_with(content)}.",
    ]
    return "\n".join(lines)
