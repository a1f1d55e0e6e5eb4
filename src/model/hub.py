"""Releases on the Hugging Face hub: pulled into the user's cache, pushed from a folder, checksums verified."""

import re
from pathlib import Path
from typing import Final

from src.model.release import CARD, CONFIG, MODEL, SUMS, is_release, verify
from src.system.errors import UserError, reason_of

PREFIX: Final = "hub:"
"""Before a name that is one on the hub, whatever lies in the working folder."""
NAME: Final = re.compile(r"[\w][\w.-]*/[\w][\w.-]*", re.ASCII)
FILES: Final = [MODEL, CONFIG, CARD, SUMS]


def pull(named: str | Path, endpoint: str | None = None, cache: Path | None = None) -> Path:
    """The folder of a release, verified.

    Args:
        named: a folder, or OWNER/NAME on the hub, which may stand behind `hub:`. A folder of that name goes first.
        endpoint: address of the hub; None: huggingface_hub's own, which the variable HF_ENDPOINT sets.
        cache: folder of the downloads; None: huggingface_hub's in the user's cache folder, which HF_HOME sets.

    Returns:
        The folder as it was given, or a snapshot in the cache. One that was cut short is never taken: a file that
        misses or does not fit its checksum is downloaded once more, and then refused.

    Raises:
        UserError: there is neither, the hub cannot be reached, the release is not whole, or huggingface_hub is missing.
    """
    name = str(named).removeprefix(PREFIX)
    if name and not str(named).startswith(PREFIX) and Path(name).exists():
        folder = Path(name)
        if not is_release(folder):
            raise UserError(f"{folder} is no release: it holds no {CONFIG}; write one with src.export format=release")
        verify(folder)
        return folder
    if not NAME.fullmatch(name) or ".." in name or "--" in name:
        raise UserError(f"{name} is neither a folder nor the name of a release on the hub: write OWNER/NAME")
    folder = _download(name, endpoint, cache, again=False)
    try:
        verify(folder)
    except UserError:
        folder = _download(name, endpoint, cache, again=True)
        verify(folder)
    return folder


def push(folder: Path, name: str, endpoint: str | None = None, private: bool = True) -> str:
    """Upload a release's four files; the repository is made if it is not there.

    Args:
        folder: a whole release.
        name: OWNER/NAME on the hub; the login is huggingface_hub's own (`hf auth login`, or HF_TOKEN).
        endpoint: address of the hub; None: huggingface_hub's own.
        private: of a new repository; its owner makes it public on the hub.

    Returns:
        The address of the commit.

    Raises:
        UserError: the release is not whole, the hub refuses it, or huggingface_hub is missing.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"{name} is no name on the hub: write OWNER/NAME")
    verify(folder)
    from huggingface_hub import HfApi

    hub = HfApi(endpoint=endpoint)
    try:
        hub.create_repo(name, private=private, exist_ok=True)
        words = f"Release of {folder.name}"
        done = hub.upload_folder(repo_id=name, folder_path=folder, allow_patterns=FILES, commit_message=words)
    except Exception as error:  # of huggingface_hub, of the HTTP library beneath it, of the system
        raise UserError(f"{folder} cannot be pushed to {name} ({reason_of(error)}); is `hf auth login` done?") from None
    return str(done.commit_url)


def _download(name: str, endpoint: str | None, cache: Path | None, again: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        found = snapshot_download(
            name, allow_patterns=FILES, endpoint=endpoint, cache_dir=cache, force_download=again, etag_timeout=10
        )
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise UserError(f"no release is called {name} on the hub, or it is private: check its name") from None
    except Exception as error:  # of huggingface_hub, of the HTTP library beneath it, of the system
        raise UserError(f"{name} cannot be downloaded ({reason_of(error)}); try again, or give a folder") from None
    return Path(str(found))
