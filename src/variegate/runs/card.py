"""The card of a saved model: what it is, what it was trained on, how it was measured, how to use it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from ..core.errors import DataError
from .measured import Measured, Results
from .record import ModelRecord

MAPS = ("labels", "image", "landmarks", "normals", "composite")  # kinds of conditions that are images
LICENCE = (
    "Its author chooses the licence of a model, within the terms of the data; variegate itself is under Apache-2.0, "
    "which says nothing about models trained with it."
)


def card(record: ModelRecord, name: str = "PATH", measured: Results | None = None, license: str = "other") -> str:
    """The text of a model card, with the front matter that hubs read.

    Args:
        name: what `variegate.load` takes.
        measured: what was measured, each number with its protocol.
        license: a licence by the hub's name for it, such as cc-by-4.0.
    """
    method = record.method
    height, width = record.size
    named = {"none": "none", "vector": "vectors.npy:0", "class": next(iter(record.condition.get("names", ())), "")}
    example = json.dumps(named.get(record.condition["kind"], "condition.png"))
    return f"""---
{front_matter(record, license)}---

# {method["name"]} trained on {record.data}

{method["summary"][0].upper() + method["summary"][1:]}.

| | |
|---|---|
| method | {method["name"]}: {method["paper"]} |
| data | {record.data}; check its terms before you publish images or this model |
| condition | {json.dumps(record.condition)[:300]} |
| size | {height}x{width} (other sizes work, best near this one) |
| steps | {record.step}, seed {record.seed} |
| versions | {", ".join(f"{name} {number}" for name, number in record.versions.items())} |

```python
import variegate
model = variegate.load({json.dumps(name)})
out = model.sample({example}, n=16, seed=0)
```

{table(measured)}Weights are the moving average of the generator's. Images are samples from p(image | condition) as
learned from the data above; they are not photographs of anything. No file here needs unpickling.

{LICENCE}
"""


def front_matter(record: ModelRecord, license: str) -> str:
    """YAML lines."""
    kind = record.condition["kind"]
    tags = ["variegate", "one-to-many", "conditional-generation", record.method["name"], f"condition-{kind}"]
    content: dict[str, object] = {"library_name": "variegate", "license": license, "tags": tags}
    if kind in MAPS:
        content["pipeline_tag"] = "image-to-image"
    elif kind == "none":
        content["pipeline_tag"] = "unconditional-image-generation"
    if license == "other":
        content["license_name"] = "not-stated"
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def table(measured: Results | None) -> str:
    """Every number with its interval and the protocol by which it was measured."""
    if measured is None or not measured.measured:
        return ""
    lines = [row(name, one) for name, one in measured.measured.items()]
    head = "| measured | value | 95 % | better | protocol |\n|---|---|---|---|---|\n"
    return "## Measured\n\n" + head + "\n".join(lines) + "\n\n"


def row(name: str, one: Measured) -> str:
    protocol = one.protocol
    counts = {"conditions": protocol.inputs, "images each": protocol.samples, "seed": protocol.seed}
    size = "" if protocol.size is None else f"{protocol.size[0]}x{protocol.size[1]}"
    told = [
        f"{protocol.name}: {protocol.metric}",
        *(f"{what} {count}" for what, count in counts.items() if count is not None),
        *filter(None, (size, *protocol.drawn, *protocol.notes)),
        ", ".join(f"{package} {number}" for package, number in protocol.libraries.items()),
    ]
    interval = "" if one.ci is None else f"{one.ci[0]:.4g} to {one.ci[1]:.4g}"
    cells = [name, f"{one.value:.4g} {one.unit}", interval, one.better, "; ".join(filter(None, told))]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def measured_of(folder: Path | None) -> Results | None:
    """What `variegate evaluate` measured of the model in a run's `model` folder; None if that is older than it.

    Raises:
        DataError: the file is damaged.
    """
    if folder is None or folder.name != "model":
        return None
    path, weights = folder.parent / "metrics.json", folder / "model.safetensors"
    if not path.is_file() or path.stat().st_mtime < weights.stat().st_mtime:
        return None
    try:
        return Results.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError):
        raise DataError(f"{path} is damaged; run `variegate evaluate {folder.parent}` again") from None
