"""Animations: frames as PNG files and a GIF, and an MP4 if imageio can write one."""

from __future__ import annotations

from pathlib import Path

from .samples import Samples, files_of

GIF_HEIGHT = 256  # small images are enlarged by whole factors up to about this height


def save_frames(samples: Samples, folder: str | Path, name: str = "morph", per_second: int = 12) -> Path:
    """Write `frames/0000.png ..`, `NAME.gif` and, if imageio-ffmpeg is installed, `NAME.mp4`; returns the folder.

    Files of an earlier call are deleted first, so that no frames of a longer animation remain after a shorter one.
    """
    folder = Path(folder)
    frames_before = [path for path in files_of(folder / "frames" / "codes.safetensors") if path.stem.isdecimal()]
    for earlier in (*frames_before, folder / f"{name}.mp4"):
        earlier.unlink(missing_ok=True)
    samples.save(folder / "frames")
    height, width = samples.images.shape[-2:]
    factor = max(1, GIF_HEIGHT // height)
    frames = [frame.resize((width * factor, height * factor), resample=0) for frame in samples.pil()]
    first, *rest = frames
    first.save(folder / f"{name}.gif", save_all=True, append_images=rest, duration=1000 // per_second, loop=0)
    try:
        import imageio.v3 as imageio
        import imageio_ffmpeg  # noqa: F401
        import numpy as np
    except ImportError:
        return folder
    even = [np.asarray(frame.convert("RGB"))[: frame.height // 2 * 2, : frame.width // 2 * 2] for frame in frames]
    imageio.imwrite(folder / f"{name}.mp4", np.stack(even), fps=per_second, macro_block_size=1)
    return folder
