"""What is released: a wheel and an archive that hold everything, known versions, extras that say what they lack."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import variegate
from helpers.shared import ROOT
from variegate.core.errors import VariegateError

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE = ROOT / "src" / "variegate"
NEEDED = (
    "py.typed",
    "evaluation/pages/report.html",
    "evaluation/protocols/quick.yaml",
    "runs/bundled/street/model.safetensors",
    "studio/web/index.html",
    "studio/study/web/index.html",
)
FOR_DEVELOPERS = ("dev", "docs")
ONLY_FASTER = ("compiled",)  # without which everything works as well


class Built(NamedTuple):
    wheel: Path
    archive: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from a copy, the archive first and the wheel from it, as `python -m build` does."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in", "constraints.txt"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return Built(next(out.glob("*.whl")), next(out.glob("*.tar.gz")))


def files_of_package() -> set[str]:
    every = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file()}
    return {path.as_posix() for path in every if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(built: Built) -> None:
    names = zipfile.ZipFile(built.wheel).namelist()
    inside = {name.removeprefix("variegate/") for name in names if name.startswith("variegate/")}
    assert set(NEEDED) <= inside
    assert inside == files_of_package()
    assert {name.split("/")[0] for name in names} == {"variegate", f"variegate-{PROJECT['version']}.dist-info"}


def test_the_archive_holds_what_builds_it_again(built: Built) -> None:
    with tarfile.open(built.archive) as archive:
        top, *rest = {name.split("/")[0] for name in archive.getnames()}
        inside = {name.removeprefix(f"{top}/") for name in archive.getnames()}
    assert not rest
    assert {f"src/variegate/{name}" for name in files_of_package()} <= inside
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "constraints.txt"} <= inside


def test_what_is_told_about_the_package_is_complete(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        [path] = [name for name in wheel.namelist() if name.endswith("METADATA")]
        told = wheel.read(path).decode()
    for line in ("License-Expression: Apache-2.0", "License-File: LICENSE", "Classifier: Typing :: Typed"):
        assert line in told
    assert f"Requires-Python: {PROJECT['requires-python']}" in told
    assert all(f"Provides-Extra: {extra}" in told for extra in PROJECT["optional-dependencies"])


def test_the_version_has_one_place(built: Built) -> None:
    named = PROJECT["version"]
    assert version("variegate") == named
    assert built.wheel.name.startswith(f"variegate-{named}-")
    assert not [path for path in PACKAGE.rglob("*.py") if named in path.read_text()]


def test_the_changelog_begins_with_what_is_not_released_and_knows_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", PROJECT["version"]]


def direct_dependencies() -> dict[str, Requirement]:
    """Those of the package and of all extras but the developers'."""
    extras = [line for name, lines in PROJECT["optional-dependencies"].items() if name != "dev" for line in lines]
    return {canonicalize_name(one.name): one for one in map(Requirement, [*PROJECT["dependencies"], *extras])}


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(one.name): one for one in (Requirement(x) for x in lines if x and x[0] != "#")}


def test_constraints_name_every_direct_dependency_and_allowed_versions() -> None:
    direct, exact = direct_dependencies(), constraints()
    assert set(exact) == set(direct)
    for name, one in exact.items():
        [only] = one.specifier
        assert only.operator == "=="
        assert only.version in direct[name].specifier


def test_the_constraints_are_near_what_runs_here() -> None:
    """Of one major version, since machines may be newer than the file."""
    for name, one in constraints().items():
        [only] = one.specifier
        assert Version(version(name)).major == Version(only.version).major, name


def call(path: str, *given: Any) -> Callable[[], Any]:
    """A function by its place in the package, to be called with some arguments."""

    def now() -> Any:
        from importlib import import_module

        module, _, name = path.rpartition(".")
        return getattr(import_module(f"variegate.{module}"), name)(*given)

    return now


# extra, package without which it is tried, what asks for it
LACKING: list[tuple[str, str, Callable[[], Any]]] = [
    ("compress", "constriction", call("compression.coder.stream")),
    ("datasets", "datasets", call("data.files.tables.require_datasets", Path("table"))),
    ("evaluation", "lpips", call("networks.features.lpips_weights", "alex", "0.1")),
    ("evaluation", "piq", call("evaluation.metrics.fidelity.fsim", None, None)),
    ("evaluation", "sklearn", call("data.statistics.neighbours.require")),
    ("evaluation", "sklearn", call("embedding.verification.require")),
    ("evaluation", "torch_fidelity", call("evaluation.metrics.extractors.require_fidelity", "FID")),
    ("exr", "OpenEXR", call("data.conditions.normals._from_exr", io.BytesIO(), "normals.exr")),
    ("hub", "huggingface_hub", call("runs.hub.require_package", "user/name")),
    ("onnx", "onnxruntime", call("networks.onnx.open_session", Path("network.onnx"))),
    ("onnx", "onnxscript", call("model.onnx_export.require_packages")),
    ("ray", "ray", call("cluster.ray_start.require_ray")),
    ("studio", "fastapi", call("studio.require_packages")),
    ("studio", "uvicorn", call("studio.require_packages")),
    ("studio", "prometheus_client", call("studio.require_packages")),
    ("video", "imageio_ffmpeg", call("studio.service.work_of", None, SimpleNamespace(kind="mp4", interpolate=True))),
    ("trackio", "trackio", call("runs.trackers.check_tracker", "trackio")),
    ("wandb", "wandb", call("runs.trackers.check_tracker", "wandb")),
]


@pytest.mark.parametrize(("extra", "package", "ask"), LACKING, ids=[f"{extra}-{name}" for extra, name, _ in LACKING])
def test_what_an_extra_lacks_is_named_with_how_to_get_it(
    extra: str, package: str, ask: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(VariegateError, match=re.escape(f"pip install 'variegate[{extra}]'")) as told:
        ask()
    assert package.replace("_", "-").replace("sklearn", "scikit-learn") in str(told.value).replace("_", "-")
    assert "\n" not in str(told.value)


def test_every_extra_that_is_imported_somewhere_says_what_it_lacks() -> None:
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    told = {extra for extra, _, _ in LACKING}
    assert told <= set(PROJECT["optional-dependencies"])
    for extra in set(PROJECT["optional-dependencies"]) - told - {*FOR_DEVELOPERS, *ONLY_FASTER}:
        for line in PROJECT["optional-dependencies"][extra]:
            name = Requirement(line).name.replace("-", "_")
            assert not re.search(rf"\b(import|from) {name}\b", source), f"{name} is imported: add {extra} to LACKING"


def test_what_is_optional_is_not_imported_before_it_is_used() -> None:
    """`variegate methods` and the model that ships need none of it."""
    packages = sorted(
        {"numba", *(package for _, package, _ in LACKING)} - {"sklearn"}
    )  # torchmetrics imports some of it itself
    lines = ["import sys", f"sys.modules.update(dict.fromkeys({packages}))", "import variegate", USED]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["2", "3", "64", "64"]


USED = """
from PIL import Image
model = variegate.load("street")
print(*model.sample(Image.new("RGB", (64, 64), model.condition.palette[0]), n=2).images.shape)
"""


@pytest.mark.slow
def test_the_wheel_works_without_the_repository(built: Built, tmp_path: Path) -> None:
    """Installed alone into a new environment, which finds everything else in this one."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120)
    binaries = tmp_path / "venv" / "bin"
    install = [str(binaries / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(built.wheel)]
    subprocess.run(install, check=True, timeout=120)
    [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
    here = Path(variegate.__file__).parents[1]
    others = [path for path in map(Path, sys.path) if path.name == "site-packages" and path != here]
    (packages / "others.pth").write_text("\n".join(map(str, others)) + "\n")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def said(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        return done.stdout

    place = said(str(binaries / "python"), "-c", "import variegate; print(variegate.__file__)").strip()
    assert Path(place).is_relative_to(packages)
    program = str(binaries / "variegate")
    assert said(program, "--version").strip() == PROJECT["version"]
    assert "--quick" in said(program, "demo", "--help")
    assert "basisgan" in said(program, "methods")
    assert said(str(binaries / "python"), "-c", f"import variegate\n{USED}").split() == ["2", "3", "64", "64"]
