"""Steps of `variegate edit` as typed, such as move:20,52:8,0, and the files it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.editing import Editor
    from ..model.model import Model
    from ..model.samples import Samples

FORMS = {
    "move": "move:X,Y:DX,DY",
    "delete": "delete:X,Y",
    "change": "change:X,Y:CLASS",
    "add": "add:CLASS:LEFT,TOP,RIGHT,BOTTOM or add:CLASS:LAYOUT:LEFT,TOP,RIGHT,BOTTOM:X,Y",
}

WRITTEN = ("layout.png", "instances.png", "before.png", "after.png", "sheet.png")


def apply(scene: Editor, step: str, find: Callable[[str], Any]) -> None:
    """Do one step; `find` makes a layout of its name.

    Raises:
        ConfigError: the step is not written as in FORMS, or cannot be done; its text begins with the step.
    """
    from ..model.editing import Crop

    verb, _, rest = step.partition(":")
    if verb not in FORMS:
        raise ConfigError(f"--steps {step}: there is no step {verb!r}; {did_you_mean(verb, FORMS)}")
    name, _, place = rest.partition(":")
    try:
        if verb == "delete":
            scene.delete(numbers(rest, 2, 4))
        elif verb == "move":
            scene.move(numbers(name, 2, 4), *numbers(place, 2))
        elif verb == "change":
            scene.change(numbers(name, 2, 4), place)
        elif ":" in place:
            other, box, at = place.rsplit(":", 2)
            scene.add(name, Crop(find(other), numbers(box, 4), numbers(at, 2)))
        else:
            scene.add(name, numbers(place, 4))
    except ConfigError as error:
        raise ConfigError(f"--steps {step}: {error}") from None
    except ValueError:
        raise ConfigError(f"--steps {step}: is not written as {FORMS[verb]}") from None


def numbers(text: str, *counts: int) -> Any:
    """`8,-2` to (8, -2); ValueError unless there are as many whole numbers as `counts` allow."""
    found = tuple(int(part) for part in text.split(","))
    if len(found) not in counts:
        raise ValueError(text)
    return found


def pick(model: Model, file: Path, index: int) -> Tensor:
    """One of the codes of earlier samples: (1, D).

    Raises:
        CheckpointError: the file holds no codes.
        ConfigError: they are those of another model, or not so many.
    """
    from ..model.samples import read_codes

    codes = model.check_codes(read_codes(file))
    if not 0 <= index < len(codes):
        raise ConfigError(f"--index {index}: the codes of {file} go from 0 to {len(codes) - 1}")
    return codes[index : index + 1]


def refuse_replacing(source: Any, folder: Path) -> Any:
    """The source itself. Raises ConfigError for a file that `save_edit` would replace."""
    if isinstance(source, Path) and source.resolve() in [(folder / name).resolve() for name in WRITTEN]:
        raise ConfigError(f"{source}: would be replaced by what is written to --out {folder}; give another --out")
    return source


def save_edit(folder: Path, scene: Editor, was: Tensor, before: Samples) -> Path:
    """Write layout.png (palette index = class), before.png, after.png, and sheet.png with both layouts above them.

    With instance ids also instances.png, 16-bit. On the sheet layouts have the size of the images.
    """
    import numpy as np
    import torch
    from PIL import Image
    from torch.nn.functional import interpolate

    from ..core.images import sheet, to_pil
    from ..data.scenes.layouts import palette_image

    after, condition = scene.draw(), scene.condition
    both = torch.stack([condition.to_image(ids[None]) for ids in (was, scene.layout)])
    layouts = interpolate(both, after.images.shape[-2:], mode="nearest-exact")
    page = sheet([list(layouts), [before.bytes()[0], after.bytes()[0]]])
    folder.mkdir(parents=True, exist_ok=True)
    palette_image(scene.layout, condition.palette).save(folder / "layout.png")
    if scene.instances is not None:
        _, numbered = np.unique(scene.instances.numpy(), return_inverse=True)  # colours as ids need more than 16 bits
        ids = scene.instances.numpy() if int(scene.instances.max()) < 2**16 else numbered
        Image.fromarray(ids.reshape(scene.instances.shape).astype(np.uint16)).save(folder / "instances.png")
    else:
        (folder / "instances.png").unlink(missing_ok=True)  # of an earlier edit, whose layout is replaced
    before.pil()[0].save(folder / "before.png")
    after.pil()[0].save(folder / "after.png")
    to_pil(page).save(folder / "sheet.png")
    return folder
