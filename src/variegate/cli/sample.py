"""`variegate sample`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..core.errors import ConfigError
from ..core.launch import first
from .parsing import folder_for, named_or_none, prefixes, sampler_of, size_for

if TYPE_CHECKING:
    from ..cluster.plan import Bulk

ONE_BY_ONE = ("like", "like_condition", "from_zip", "mask", "tile", "overlap")  # options of single conditions
ONLY_SHARDS = ("shard_images", "ray", "ray_actors")


@dataclass(frozen=True)
class Sample:
    """Sample many images for each condition, and write the images, a grid and their codes."""

    run_directory: Positional[Path]
    conditions: Positional[tuple[str, ...]] = ()
    """image files, or items of the run's data such as test:0 or val:3; class:NAME, vector:FILE:ROW or none for models
    that take these"""
    n: Annotated[int | None, arg(aliases=["-n"])] = None
    """images of each condition; default: 16, or as many as there are in --codes or --fixed-codes"""
    seed: int = 0
    size: str | None = None
    """resize conditions to this; default: the training size; `native` to keep their own"""
    tile: int | None = None
    """compute large images in square windows of this side, which bounds memory; most networks give the same images"""
    overlap: int | None = None
    """--tile: pixels that neighbouring windows share; default: as many as the network needs"""
    codes: Path | None = None
    """codes.safetensors of earlier samples: the same styles on other conditions"""
    fixed_codes: bool = False
    """use the fixed codes of training instead of new ones (latent-dropout, crn)"""
    like: Path | None = None
    """an image whose style to use; its code is found by the encoder (bicyclegan, munit), else with --like-condition"""
    like_condition: str | None = None
    """the condition of the image of --like, in any form that conditions have here; bicyclegan and munit need none"""
    guidance: float | None = None
    """flow: how far samples are led away from worse ones, 1: not at all; default: as trained"""
    guide: Literal["unconditional", "earlier"] | None = None
    """flow: what guidance leads away from: the network without condition, or as it was early in training"""
    guided_from: float | None = None
    """flow: the time, 0 noise and 1 image, before which nothing is guided; early guidance costs diversity"""
    solver_steps: int | None = None
    """flow: steps from noise to image; default: as trained"""
    temperature: float | None = None
    """PixelCNNs: below 1, likelier values and fewer different images; default: as trained, 1"""
    consistent: bool = False
    """super-resolution, inpainting: change samples so that, made small or around the hole, they are as given"""
    from_zip: Path | None = None
    """draw the images of a ZIP that the studio saved again, exactly, with its condition and codes"""
    mask: Path | None = None
    """inpainting: a mask for the single condition, white where it is to be filled"""
    out: Path | None = None
    shard: bool = False
    """for many conditions, also folders and splits such as test: into tar files, by all processes of torchrun; the same
    command continues what was stopped"""
    shard_images: int = 1000
    """--shard: the most images of a tar file"""
    ray: str | None = None
    """--shard: on Ray: `local`, `auto` or the address of a cluster whose machines all see --out"""
    ray_actors: int | None = None
    """--ray: how many draw at once; default: one for every processor, or GPU, that the cluster has"""
    device: str = "cpu"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = False
    """memory layout; often faster, same images"""
    compile: bool = False
    """torch.compile: the first image is slow, many images are faster"""

    @property
    def sampler(self) -> dict[str, Any]:
        return sampler_of(self)

    def run(self) -> None:
        if self.shard:
            sample_in_shards(self)
            return
        refuse_without_shards(self)
        if self.from_zip is not None:
            self.again(self.from_zip)
            return
        from ..core.progress import watched
        from ..model.model import Model
        from .codes import given_codes, refuse_several
        from .typed import conditions_of, masked_conditions_of

        if self.like_condition and not self.like:
            raise ConfigError("--like-condition is the condition of --like IMAGE; give both, or leave it out")
        refuse_several({"--codes": self.codes, "--fixed-codes": self.fixed_codes, "--like": self.like})
        n = 16 if self.n is None else self.n
        out = folder_for(self.out, self.run_directory / "drawn")
        switches = (self.precision, self.channels_last, self.compile)
        model = Model.load(self.run_directory, self.device, *switches, self.sampler)
        codes = given_codes(model, self.codes, self.fixed_codes, self.n)
        if self.like:
            whose = (self.like_condition,) if self.like_condition else ()
            codes = model.invert(self.like, *(condition for _, condition in conditions_of(self.run_directory, whose)))
        named = masked_conditions_of(self.run_directory, named_or_none(self.conditions, model), self.mask)
        each = zip(prefixes([name for name, _ in named]), named)
        for prefix, (_, condition) in watched(each, "drawing samples", len(named)):
            size = size_for(self.size, model.size)
            drawn = model.sample(condition, n, self.seed, codes, size, tile=self.tile, overlap=self.overlap)
            drawn.save(out, prefix)
        print(out)

    def again(self, archive: Path) -> None:
        """Draw the images of a ZIP again."""
        from ..studio import require_packages

        if self.conditions:
            raise ConfigError(f"{archive} has a condition of its own; omit {self.conditions[0]}, or --from-zip")
        own = ("run_directory", "conditions", "from_zip", "out", "device")
        set_too = [one.name for one in fields(self) if one.name not in own and getattr(self, one.name) != one.default]
        if set_too:
            raise ConfigError(f"{archive} says how its images were made; omit --{set_too[0].replace('_', '-')}")
        require_packages()
        from ..studio.recipes import redraw
        from ..studio.shelf import Entry

        out = folder_for(self.out, self.run_directory / "drawn")
        redraw(archive, Entry(self.run_directory, self.run_directory.name, self.device)).save(out)
        print(out)


def sample_in_shards(asked: Sample) -> None:
    """Draw all images that are not there yet, in this process, in those of torchrun, or on Ray."""
    bulk = bulk_of(asked)
    if asked.ray is not None:
        from ..cluster.ray_sampling import sample_shards_on_ray

        sample_shards_on_ray(bulk, asked.ray, asked.ray_actors)
    else:
        from ..cluster.bulk import sample_shards

        sample_shards(bulk)
    if first():
        print(bulk.out)


def refuse_without_shards(asked: Sample) -> None:
    """Raises ConfigError for an option that --shard alone has."""
    for name in ONLY_SHARDS:
        if getattr(asked, name) != type(asked).__dataclass_fields__[name].default:
            raise ConfigError(f"--{name.replace('_', '-')} belongs to --shard; give that too")


def bulk_of(asked: Sample) -> Bulk:
    """What was asked for.

    Raises:
        ConfigError: an option does not go with shards, or the model cannot draw so.
        DataError: a condition is neither a file nor a folder, split or item.
    """
    from ..cluster.conditions import find_conditions
    from ..cluster.plan import Bulk
    from ..data.conditions import condition_from_mapping
    from ..runs.saved_model import model_folder, read_record
    from .codes import given_codes, refuse_several
    from .typed import file_name

    for name in ONE_BY_ONE:
        if getattr(asked, name) is not None:
            raise ConfigError(f"--shard draws new images of many conditions; omit --{name.replace('_', '-')}")
    if asked.ray is None and asked.ray_actors is not None:
        raise ConfigError("--ray-actors belongs to --ray; give that too")
    refuse_several({"--codes": asked.codes, "--fixed-codes": asked.fixed_codes})
    n = 16 if asked.n is None else asked.n
    if asked.codes is not None or asked.fixed_codes:
        from ..model.model import Model

        codes = given_codes(Model.load(asked.run_directory), asked.codes, asked.fixed_codes, asked.n)
        n = 0 if codes is None else len(codes)
    record = read_record(model_folder(asked.run_directory))
    condition = condition_from_mapping(record.condition)
    if not asked.conditions and condition.channels:
        raise ConfigError(f"no {condition.noun} given; give folders, files, or a split of the run's data: test")
    return Bulk(
        run=Path(asked.run_directory),
        out=folder_for(asked.out, asked.run_directory / "shards"),
        conditions=find_conditions(asked.run_directory, asked.conditions or ("none",), file_name),
        n=n,
        seed=asked.seed,
        size=size_for(asked.size, record.size),
        codes=asked.codes,
        fixed_codes=asked.fixed_codes,
        per_shard=asked.shard_images,
        device=asked.device,
        precision=asked.precision,
        channels_last=asked.channels_last,
        compile=asked.compile,
        sampler=asked.sampler,
    )
