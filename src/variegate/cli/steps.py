"""The steps of `variegate edit` as typed, such as move:20,52:8,0, and the files it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.editing import Editor
    from ..model.samples import Samples

FORMS = {
    "move": "move:X,Y:DX,DY",
    "delete": "delete:X,Y or delete:CLASS",
    "change": "change:X,Y:CLASS or change:CLASS:CLASS",
    "add": "add:CLASS:LEFT,TOP,RIGHT,BOTTOM or add:CLASS:LAYOUT:LEFT,TOP,RIGHT,BOTTOM:X,Y",
}

WRITTEN = ("layout.png", "instances.png", "before.png", "after.png", "sheet.png")


def apply(scene: Editor, step: str, find: Callable[[str], Any]) -> None:
    """Apply one step; `find` loads a layout by name.

    Raises:
        ConfigError: the step does not follow FORMS or cannot be applied; the message begins with the step.
    """
    from ..model.editing import Crop

    verb, _, rest = step.partition(":")
    if verb not in FORMS:
        raise ConfigError(f"--steps {step}: unknown step {verb!r}; {did_you_mean(verb, FORMS)}")
    name, _, place = rest.partition(":")
    try:
        if verb == "delete":
            scene.delete(place_of(rest, scene))
        elif verb == "move":
            scene.move(numbers(name, 2, 4), *numbers(place, 2))
        elif verb == "change":
            scene.change(place_of(name, scene), place)
        elif ":" in place:
            other, box, at = place.rsplit(":", 2)
            scene.add(name, Crop(find(other), numbers(box, 4), numbers(at, 2)))
        else:
            scene.add(name, numbers(place, 4))
    except ConfigError as error:
        raise ConfigError(f"--steps {step}: {error}") from None
    except ValueError:
        raise ConfigError(f"--steps {step}: expected {FORMS[verb]}") from None


def place_of(text: str, scene: Editor) -> Any:
    """The name of a class, or else a point or a box."""
    return text if text in scene.condition.names else numbers(text, 2, 4)


def numbers(text: str, *counts: int) -> Any:
    """Parse `8,-2` to (8, -2); raises ValueError unless the number of integers is one of `counts`."""
    found = tuple(int(part) for part in text.split(","))
    if len(found) not in counts:
        raise ValueError(text)
    return found


def refuse_replacing(source: Any, folder: Path) -> Any:
    """Return the source itself, or raise ConfigError if it is a file that `save_edit` would overwrite."""
    if isinstance(source, Path) and source.resolve() in [(folder / name).resolve() for name in WRITTEN]:
        raise ConfigError(f"{source}: would be overwritten by the output in --out {folder}; choose another --out")
    return source


def save_edit(folder: Path, scene: Editor, was: Tensor, before: Samples) -> Path:
    """Write layout.png (palette index = class), before.png, after.png, and sheet.png with both layouts above them.

    Instance ids are also written, to a 16-bit instances.png. On the sheet, layouts are resized to the images.
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
        (folder / "instances.png").unlink(missing_ok=True)  # left by an earlier edit, whose layout is overwritten
    before.pil()[0].save(folder / "before.png")
    after.pil()[0].save(folder / "after.png")
    to_pil(page).save(folder / "sheet.png")
    return folder
