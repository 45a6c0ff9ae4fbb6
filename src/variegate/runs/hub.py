"""Models on the hub by name: `variegate.load("user/name")` downloads one once and needs no network afterwards.

A folder of that name comes first. `user/name@revision` is a branch, a tag or a commit of it. The hub is where
HF_ENDPOINT says, and HF_TOKEN or `hf auth login` say who asks.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SPELLED = re.compile(r"(?!runs/)(\w[\w.-]*)/(\w[\w.-]*)(?:@(\w[\w./-]*))?")  # training writes to runs/
COMMIT = re.compile(r"[0-9a-f]{40}")
WEIGHTS = "model.safetensors"  # downloaded last: where they are, the rest is
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


class OnHub(NamedTuple):
    """A model on the hub."""

    repository: str  # user/name
    revision: str | None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def on_hub(place: str | Path) -> OnHub | None:
    """The model on the hub that `place` names; None for a folder, and for what is missing in a folder that is here.

    Raises:
        ConfigError: it names a revision, but the model is a folder that is here.
    """
    found = SPELLED.fullmatch(place if isinstance(place, str) else place.as_posix())  # a Path has lost its ./
    if found is None or Path(place).exists():
        return None
    user, name, revision = found.groups()
    if revision is None and Path(user).is_dir():
        return None
    if revision is not None and Path(user, name).is_dir():
        raise ConfigError(f"{place}: {two_models(f'{user}/{name}')}")
    return OnHub(f"{user}/{name}", revision)


def two_models(folder: str | Path) -> str:
    """Why a folder has no revision, and what to do."""
    return f"a folder {folder} is here, and a revision belongs to the hub; omit the revision, or rename the folder"


def fetch(wanted: OnHub, files: Collection[str], check: Callable[[Path], object]) -> Path:
    """The folder in the hub's cache that holds a model, downloaded if it is not there yet.

    A branch or a tag that is named is what the hub has now, or without a network what was downloaded last.

    Args:
        files: what to download, if it exists.
        check: raises CheckpointError if a folder without weights cannot be a model's, so that they are not downloaded.

    Raises:
        CheckpointError: there is no such model, or the hub cannot be reached.
        ConfigError: the package that talks to the hub is missing, or the token is none.
    """
    require_package(str(wanted))
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    download = partial(snapshot_download, wanted.repository, endpoint=endpoint(), library_name="variegate")
    with in_words(wanted):
        if wanted.revision is None or COMMIT.fullmatch(wanted.revision):
            try:
                kept = Path(download(revision=wanted.revision, allow_patterns=sorted(files), local_files_only=True))
                if (kept / WEIGHTS).is_file() and (kept / "config.json").is_file():
                    return kept
            except LocalEntryNotFoundError:
                pass
        token_for(None)
        folder = Path(download(revision=wanted.revision, allow_patterns=sorted({*files} - {WEIGHTS})))
        try:
            check(folder)
        except CheckpointError:
            raise CheckpointError(
                f"{wanted} is on the hub, but it is not a model of variegate; check the name"
            ) from None
        folder = Path(download(revision=folder.name, allow_patterns=[WEIGHTS]))
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{wanted} on the hub has no {WEIGHTS}; ask its author to push it again")
    return folder


def push(folder: Path, to: OnHub, private: bool, token: str | None, check: Callable[[Path], object]) -> str:
    """Upload a model's folder, and return its address; what the repository held is in its history.

    Args:
        check: raises CheckpointError if a folder without weights cannot be a model's.

    Raises:
        CheckpointError: the hub cannot be reached, or refuses.
        ConfigError: the package is missing, the token is none, or the repository holds what is not part of a model.
    """
    require_package(f"pushing {to}")
    from huggingface_hub import HfApi

    token = token_for(token)
    api = HfApi(endpoint(), token, library_name="variegate", library_version=version("variegate"))
    with in_words(to, pushing=True, token=token):
        address = api.create_repo(to.repository, private=private or None, exist_ok=True)
        require_model_only(api, to, {path.name for path in folder.iterdir()}, check)
        if to.revision:
            api.create_branch(to.repository, branch=to.revision, exist_ok=True)
        api.upload_folder(
            repo_id=to.repository,
            folder_path=folder,
            revision=to.revision,
            commit_message=f"Push a model of variegate {version('variegate')}",
            delete_patterns=["inverter.safetensors"],  # of an earlier model
        )
    return str(address)


def require_model_only(api: HfApi, to: OnHub, own: set[str], check: Callable[[Path], object]) -> None:
    """Raises ConfigError if a push would overwrite or join what is not a model of variegate.

    Args:
        own: files of the model that is pushed.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    revision = to.revision
    try:
        there = set(api.list_repo_files(to.repository, revision=revision))
    except RevisionNotFoundError:  # the branch will begin as main
        revision, there = None, set(api.list_repo_files(to.repository))
    others = sorted(there - own - {".gitattributes", "inverter.safetensors"})
    if not others and "config.json" in there:
        with tempfile.TemporaryDirectory() as aside:
            api.hf_hub_download(to.repository, "config.json", revision=revision, local_dir=aside)
            try:
                check(Path(aside))
            except CheckpointError:
                raise ConfigError(
                    f"{to} holds a model of another program (its config.json is not one of variegate); "
                    "push to a name of its own"
                ) from None
    elif not others and WEIGHTS in there:
        others = [WEIGHTS]
    if others:
        raise ConfigError(f"{to} holds {others[0]}, which is not part of a model; push to a name of its own")


def token_for(given: str | None) -> str | None:
    """The token that says who asks: the given one, or of HF_TOKEN or the log-in; None if there is none.

    Raises:
        ConfigError: it has characters that no token has. It is not shown.
    """
    from huggingface_hub import get_token

    token = (given or get_token() or "").strip()
    if not re.fullmatch("[!-~]*", token):
        raise ConfigError(
            "the token for the hub has a space, a line break or another character that no token has; copy it again, "
            f"and {LOG_IN}"
        )
    return token or None


def require_package(what: str) -> None:
    """Raises ConfigError if the package that talks to the hub is missing."""
    if find_spec("huggingface_hub") is None:
        raise ConfigError(f"{what}: the hub needs the package huggingface_hub: pip install 'variegate[hub]'")


def endpoint() -> str | None:
    """Where the hub is; None: the public one."""
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def in_words(which: OnHub, pushing: bool = False, token: str | None = None) -> Iterator[None]:
    """Raise what the hub's package raises as a CheckpointError in one sentence, without the token."""
    from huggingface_hub import errors, get_token

    unreachable: tuple[type[Exception], ...] = (OSError, *errors.HfHubHTTPError.__bases__)  # its HTTP client's, too
    try:
        yield
    except errors.GatedRepoError:
        told = f"its author must let you in; ask on its page, and {LOG_IN}"
    except errors.RevisionNotFoundError:
        told = "the hub has the model, but not this revision; give a branch, a tag or a commit of it"
    except (errors.RepositoryNotFoundError, errors.LocalTokenNotFoundError):
        told = f"there is no such folder here and no such model on the hub, or it is private; check it, or {LOG_IN}"
        if pushing:
            told = f"the hub does not know you; {LOG_IN}"
    except errors.HFValidationError:
        told = "is not a name that the hub can have; give user/name"
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        told = "is neither a folder here nor in the hub's cache, and the hub cannot be reached; check the network"
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        told = f"the hub answered {status} ({error.server_message or 'without a reason'}); try again later"
        if status == 401:
            told = f"the hub does not know you; {LOG_IN}"
        elif status == 403:
            told = f"your token does not allow this; make one that may write to {which.repository}, and {LOG_IN}"
    except unreachable as error:
        told = f"the hub cannot be reached ({str(error).splitlines()[0]}); check the network"
    except ValueError as error:
        told = f"the hub does not accept this ({' '.join(str(error).split())}); check the licence"
    else:
        return
    if secret := token or get_token():
        told = told.replace(secret, "***")
    raise CheckpointError(f"{which}: {told}") from None
