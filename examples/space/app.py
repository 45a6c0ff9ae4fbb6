"""A hosted demo: many images of one condition. The variable MODEL names the model: bundled, on the hub, or a folder."""

from __future__ import annotations

import os
from functools import cache

import gradio as gr
import numpy as np
from PIL import Image

import variegate
from variegate import Model, VariegateError
from variegate.data.streets.scene import draw_labels
from variegate.data.streets.streets import PALETTE

MODEL = os.environ.get("MODEL", "street")
MOST = 16  # images at a time
EXAMPLES = 4


@cache
def model() -> Model:
    return variegate.load(MODEL)


def example(index: int) -> Image.Image:
    """A street layout in the colours of its classes."""
    colours = np.array(PALETTE, dtype=np.uint8)
    return Image.fromarray(colours[draw_labels(model().size, np.random.default_rng(index))])


def draw(condition: Image.Image | str | None, seed: float, count: float) -> list[Image.Image]:
    """Images of one condition: an image, or a class or vector in words. Equal seeds, equal images."""
    if condition is None:
        raise gr.Error(f"No {model().condition.noun} given; upload one, or take an example.")
    try:
        return model().sample(condition, n=min(int(count), MOST), seed=int(seed), size=model().size).pil()
    except VariegateError as error:
        raise gr.Error(str(error)) from None


def build() -> gr.Blocks:
    """The page."""
    noun, words = model().condition.noun, not model().condition.suffixes
    with gr.Blocks(title="variegate") as page:
        gr.Markdown(f"# One {noun}, many images\nThe model `{MODEL}` ({model().name}) draws p(image | {noun}).")
        with gr.Row():
            with gr.Column():
                given = gr.Textbox(label=noun) if words else gr.Image(type="pil", image_mode=None, label=noun)
                seed = gr.Number(0, label="seed", precision=0, minimum=0)
                count = gr.Slider(1, MOST, value=8, step=1, label="images")
                button = gr.Button("Draw", variant="primary")
            images = gr.Gallery(label="images", columns=4)
        button.click(draw, [given, seed, count], images)
        if MODEL == "street":
            gr.Examples([[example(index)] for index in range(EXAMPLES)], [given])
    return page


if __name__ == "__main__":
    build().launch()
