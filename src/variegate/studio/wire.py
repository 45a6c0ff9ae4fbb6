"""What is sent to and from the HTTP API; the OpenAPI document at `/openapi.json` is made of these.

Images are base64 of PNG (JPEG and WebP are read, too). A code is named by where it came from - seed and index, or a
share of the way between two such - so a request is short, and can be written down and repeated.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST = 24 * 2**20  # characters of one base64 text
SIDE = 1024  # pixels
MOST = 64  # images in one answer

Base64 = Annotated[str, Field(max_length=LONGEST, description="base64")]
Side = Annotated[int, Field(ge=1, le=SIDE, description="pixels")]
Number = Annotated[int, Field(ge=0, lt=2**53)]  # what JavaScript counts exactly
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelMap(Wire):
    """A class number for every pixel."""

    kind: Literal["labels"] = "labels"
    height: Side
    width: Side
    ids: Base64 = Field(description="base64 of height x width bytes, row by row from the top")
    boundaries: Base64 | None = Field(
        None, description="likewise, 1 where another instance begins; default: where another class does"
    )


class ImageFile(Wire):
    """An image as condition: edges, a low resolution, a sketch."""

    kind: Literal["image"] = "image"
    data: Base64


class Hole(Wire):
    """An image and where it is to be filled."""

    kind: Literal["hole"] = "hole"
    image: Base64
    mask: Base64 = Field(description="of the same size, white where the image is to be filled")


class LandmarkPoints(Wire):
    kind: Literal["landmarks"] = "landmarks"
    height: Side
    width: Side
    points: list[tuple[Coordinate, Coordinate] | None] = Field(
        max_length=1024, description="x, y in pixels; null for a point that is not there"
    )


class ClassNumber(Wire):
    kind: Literal["class"] = "class"
    index: Annotated[int, Field(ge=0, lt=2**15)]


class VectorValues(Wire):
    kind: Literal["vector"] = "vector"
    values: list[float] = Field(max_length=2**16)


class Nothing(Wire):
    kind: Literal["none"] = "none"


OnePart = Annotated[
    LabelMap | ImageFile | Hole | LandmarkPoints | ClassNumber | VectorValues | Nothing, Field(discriminator="kind")
]


class Parts(Wire):
    """Several conditions at once, in the order that the model names them."""

    kind: Literal["composite"] = "composite"
    parts: list[OnePart] = Field(min_length=1, max_length=8)


AnyCondition = Annotated[
    LabelMap | ImageFile | Hole | LandmarkPoints | ClassNumber | VectorValues | Nothing | Parts,
    Field(discriminator="kind"),
]


class Seeded(Wire):
    """The code of an image of a seed, as in `variegate sample`."""

    seed: Number
    index: Number


class Mixed(Wire):
    """A code on the way between two, which may be on the way themselves; share 0 is exactly the first, 1 the second."""

    between: tuple[AnyCode, AnyCode]
    share: Share


class Given(Wire):
    """A code by its numbers."""

    values: Base64 = Field(description="base64 of float32, little-endian")


AnyCode = Seeded | Mixed | Given
Mixed.model_rebuild()


class Turn(Wire):
    """Of the requests with one name, only that of the highest number is answered; the others are dropped (409)."""

    name: str = Field(max_length=64, description="of whoever asks, and for what; any text that is unlikely twice")
    number: Number


class SampleRequest(Wire):
    model: str | None = Field(None, max_length=200, description="default: the first of /v1/models")
    condition: AnyCondition
    n: Annotated[int, Field(ge=1, le=MOST)] = 8
    seed: Number = 0
    first: Number = 0
    codes: list[AnyCode] | None = Field(None, min_length=1, max_length=MOST, description="instead of n, seed and first")
    size: tuple[Side, Side] | None = Field(
        None, description="height, width; default: a label map's own, else the training size"
    )
    order: Literal["given", "diverse"] = Field("given", description="diverse: each image unlike those before it")
    recipe: bool = Field(False, description="write into every PNG how it was made")
    supersedes: Turn | None = None

    @model_validator(mode="after")
    def _counted_exactly(self) -> SampleRequest:
        if self.first + self.n > 2**53:
            raise ValueError("first + n must be at most 2**53")
        return self


class ImageOut(Wire):
    png: str
    code: AnyCode
    position: int = Field(description="place of its code in the request")


class Samples(Wire):
    model: str
    weights: str = Field(description="SHA-256 of the model's weights and configuration, 16 digits")
    layout: str = Field(description="SHA-256 of the condition as read, 16 digits")
    height: int
    width: int
    seconds: float
    images: list[ImageOut]


class InterpolateRequest(Wire):
    model: str | None = Field(None, max_length=200)
    condition: AnyCondition
    start: AnyCode
    end: AnyCode
    frames: Annotated[int, Field(ge=2, le=MOST)] = 16
    size: tuple[Side, Side] | None = None
    supersedes: Turn | None = None


class ExplainRequest(Wire):
    """What is uncertain in the images of a condition."""

    model: str | None = Field(None, max_length=200)
    condition: AnyCondition
    n: Annotated[int, Field(ge=2, le=MOST)] = 16
    seed: Number = 0
    codes: list[AnyCode] | None = Field(None, min_length=2, max_length=MOST, description="instead of n and seed")
    supersedes: Turn | None = None


class Nearest(Wire):
    png: str
    distance: float
    index: int


class Explanation(Wire):
    """Images are base64 PNG; lengths are in units of the range 0 to 1."""

    mean: str
    deviation: str = Field(description="heat map of the standard deviation of every pixel")
    deviation_top: float = Field(description="the deviation that the brightest colour stands for")
    predicted: bool = Field(description="whether mean and deviation were predicted; else they are those of the images")
    pairwise: list[list[float]] = Field(description="root of the mean squared difference of each two images")
    nearest: list[Nearest] = Field(description="the training image most like each image; empty without training data")
    surprisal: list[str] = Field(description="heat maps of bits per pixel; empty for models without a likelihood")
    surprisal_top: float
    images: list[ImageOut]


class CalibrationOut(Wire):
    """Are samples as uncertain as they should be, on held-out pairs?"""

    words: str
    averaging_gain: float = Field(description="1 if calibrated; below: too much alike, or their mean is wrong")
    spread_over_error: float = Field(description="1 if calibrated")
    ranks: list[float] = Field(description="share of real values with each rank among the samples; all are alike")
    conditions: int
    samples: int


class JobRequest(Wire):
    """Something that takes longer, or whose answer is a file.

    `archive`: a ZIP of images, codes, condition and request, for `variegate sample --from-zip`; `grid`: one PNG;
    `gif` and `mp4`: a film between the codes.
    """

    kind: Literal["archive", "grid", "gif", "mp4"]
    sample: SampleRequest | None = None
    interpolate: InterpolateRequest | None = None


class JobState(Wire):
    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    error: str | None = None
    result: str | None = Field(None, description="where its file is, once done")


class FileRequest(Wire):
    data: Base64 = Field(description="base64 of an image file")
    part: Annotated[int, Field(ge=0, lt=8)] = Field(0, description="which of the model's parts it is")


class PngRequest(Wire):
    png: Base64


class Recipe(Wire):
    """How a PNG was made, as found in it."""

    model: str
    weights: str
    layout: str
    code: AnyCode
    condition: AnyCondition
    size: tuple[Side, Side]
    known: bool = Field(True, description="whether this server has a model with these weights")


class PartNeed(Wire):
    """One condition that a model needs, and so which tool the page shows."""

    kind: Literal["labels", "image", "hole", "landmarks", "class", "vector", "none"]
    noun: str
    classes: list[dict[str, Any]] = Field(default=[], description="of label maps: name and colour [r, g, b]")
    names: list[str] = Field(default=[], description="of class conditions")
    points: int | None = Field(None, description="of landmarks")
    length: int | None = Field(None, description="of vectors")
    shrink: int | None = Field(None, description="of low resolutions: how many times smaller than the image")


class ModelInfo(Wire):
    id: str
    method: str
    title: str
    weights: str
    parts: list[PartNeed]
    height: int = Field(description="the size that it was trained at")
    width: int
    grey: bool
    code_size: int
    different: int | None = Field(description="how many different images of a condition there are, if finite")
    can: list[Literal["surprisal", "moments", "nearest", "calibration"]]
    examples: int = Field(description="how many conditions it brings along")
    bundled: bool


class Models(Wire):
    models: list[ModelInfo]


class Example(Wire):
    condition: AnyCondition
    preview: str = Field(description="base64 PNG")
    note: str | None = Field(None, description="what was done to a file to make it this")


class Failure(Wire):
    error: str
