"""`variegate sample --shard`: many conditions, into tar files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ..core.progress import first
from .parsing import folder_for, sampler_of, size_for

if TYPE_CHECKING:
    from ..cluster.plan import Bulk
    from .sample import Sample

ONE_BY_ONE = ("like", "like_condition", "from_zip", "mask", "tile", "overlap")  # options of single conditions
ONLY_SHARDS = ("shard_images", "ray", "ray_actors")


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
        sampler=sampler_of(asked.guidance, asked.guided_from, asked.solver_steps, asked.temperature, asked.consistent),
    )
