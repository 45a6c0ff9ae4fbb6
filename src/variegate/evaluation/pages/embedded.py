"""Images as part of a page."""

from __future__ import annotations

import base64
import io

from torch import Tensor

from ...core.images import to_pil


def embed(image: Tensor | bytes) -> str:
    """A base64 PNG of an image, uint8 (3, H, W) or with opacity (4, H, W), or of a PNG's bytes."""
    if isinstance(image, bytes):
        content = image
    else:
        file = io.BytesIO()
        to_pil(image).save(file, "PNG", optimize=True)
        content = file.getvalue()
    return "data:image/png;base64," + base64.b64encode(content).decode()
