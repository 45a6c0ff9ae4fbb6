"""The records in a folder of shards: what it holds (`manifest.json`), and what each finished shard holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.chunks import CHUNK, SMALL
from ..core.errors import ConfigError, DataError
from ..core.files import check_writable, write_text
from ..runs.saved_model import model_folder, read_record
from .plan import Bulk

FILE = "manifest.json"


def protocol_of(bulk: Bulk) -> dict[str, Any]:
    """What a manifest says of how its images are drawn; two folders with the same hold the same images."""
    folder = model_folder(bulk.run)
    content = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        content.update((folder / name).read_bytes())
    names = "\n".join(f"{one.name}\t{'' if one.item is None else one.item}" for one in bulk.conditions)
    codes = "seed" if bulk.codes is None else hashlib.sha256(bulk.codes.read_bytes()).hexdigest()
    return {
        "format": 1,
        "model": {"method": read_record(folder).method["name"], "sha256": content.hexdigest()},
        "conditions": {"count": len(bulk.conditions), "sha256_of_names": hashlib.sha256(names.encode()).hexdigest()},
        "n": bulk.n,
        "seed": bulk.seed,
        "protocol": {
            "size": "native" if bulk.size is None else list(bulk.size),
            "codes": "training" if bulk.fixed_codes else codes,
            "sampler": dict(bulk.sampler),
            "images_per_shard": bulk.per_shard,
            "images_decoded_at_a_time": CHUNK,
            "pixels_decoded_at_a_time": CHUNK * SMALL,
            "device": bulk.device.partition(":")[0],
            "threads": 1,
            "precision": bulk.precision,
            "channels_last": bulk.channels_last,
            "compile": bulk.compile,
        },
    }


def begin(bulk: Bulk) -> list[int]:
    """Write the manifest, or check that it is of the same images; the shards that are still to be drawn.

    Raises:
        ConfigError: the folder holds images of other settings, or files of something else.
        TrainingError: it cannot be written to.
    """
    check_writable(bulk.out)
    wanted, names = protocol_of(bulk), sorted(path.name for path in bulk.out.iterdir() if path.name[0] != ".")
    there = read_manifest(bulk.out) if FILE in names else {}
    if there and len(names) > 1:
        _compare(_flat(there), _flat(wanted), bulk.out)
    elif names not in ([], [FILE]):
        raise ConfigError(f"{bulk.out}: contains {names[0]}, which is not of bulk sampling; give an empty folder")
    else:
        write_text(bulk.out / FILE, json.dumps({**wanted, "complete": False}, indent=1) + "\n")
    _remove_halves(bulk.out)
    return [shard for shard in range(bulk.division.shards) if not is_finished(bulk, shard)]


def _remove_halves(out: Path) -> None:
    """Remove what processes that were killed left of their shards."""
    for path in out.glob(".shard-*.writing.tar"):
        path.unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises ConfigError if it is not one."""
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        _ = content["protocol"]
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{folder / FILE}: is not a manifest of bulk sampling; give an empty folder") from None
    return content


def _compare(there: Mapping[str, Any], wanted: Mapping[str, Any], out: Path) -> None:
    for key, now in wanted.items():
        if there.get(key) == now:
            continue
        other = {"model": "another model's images", "conditions": "images of other conditions"}
        as_was = f"images with {key.rpartition('.')[2].replace('_', ' ')} {there.get(key)}, not {now}"
        told = other.get(key.partition(".")[0], as_was)
        raise ConfigError(f"{out}: was begun for {told}; repeat that command, or give another --out")


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in content.items():
        nested = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def record_of(bulk: Bulk, shard: int) -> dict[str, Any] | None:
    """What a shard that was written holds; None if it was not."""
    try:
        content = json.loads(bulk.file(shard).with_suffix(".json").read_text(encoding="utf-8"))
        whole = not content["images"] or bulk.file(shard).stat().st_size == content["bytes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if whole else None


def is_finished(bulk: Bulk, shard: int) -> bool:
    """Whether a shard holds all of its images."""
    record = record_of(bulk, shard)
    return record is not None and not record["missing"]


def write_record(bulk: Bulk, shard: int, images: int, missing: Mapping[str, str], computed: str) -> None:
    """Record a shard that was written, without the conditions that are `missing`, each with the reason."""
    file, digest, size = bulk.file(shard), None, 0
    if images:
        with file.open("rb") as stream:
            digest, size = hashlib.file_digest(stream, "sha256").hexdigest(), file.stat().st_size
    content = {
        "file": file.name,
        "images": images,
        "bytes": size,
        "sha256": digest,
        "missing": dict(missing),
        "computed": computed,
    }
    write_text(file.with_suffix(".json"), json.dumps(content) + "\n")


def finish(bulk: Bulk) -> dict[str, Any]:
    """Write the manifest with all shards; what it says.

    Raises:
        DataError: a condition could not be read, or a shard was not written where this process looks for it.
    """
    records = [record_of(bulk, shard) for shard in range(bulk.division.shards)]
    shards = [record for record in records if record is not None]
    if len(shards) < len(records):
        absent = bulk.file(records.index(None))
        raise DataError(
            f"{absent}: was not written, or elsewhere; on several machines --out must be a folder that all of them see"
        )
    missing = {name: why for record in shards for name, why in record["missing"].items()}
    content = {
        **protocol_of(bulk),
        "complete": not missing,
        "images": sum(record["images"] for record in shards),
        "missing": missing,
        "computed": sorted({record["computed"] for record in shards}),
        "shards": [
            {key: record[key] for key in ("file", "images", "bytes", "sha256")} for record in shards if record["images"]
        ],
    }
    write_text(bulk.out / FILE, json.dumps(content, indent=1) + "\n")
    _remove_halves(bulk.out)
    if missing:
        raise DataError(
            f"{next(iter(missing.values()))} ({len(missing)} of {len(bulk.conditions)} conditions cannot be read; the "
            f"images of the others are in {bulk.out}; correct that and repeat the command)"
        )
    return content
