"""The names of files and folders that other systems put beside a person's own, such as `._x.jpg` or `Thumbs.db`."""

from typing import Final

# In lower case, since the systems that make them ignore case.
COMPANIONS: Final = frozenset({
    "__macosx", ".ds_store", "icon\r",  # macOS
    "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information",  # Windows
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", ".@__thumb",  # Synology, QNAP
    "lost+found",  # Linux
})  # fmt: skip


def is_companion(name: str) -> bool:
    """Whether a path's part names a file or folder that no person put there.

    These are the companions that macOS, Windows, Linux desktops and network disks make, and every name that starts
    with a dot, such as `._x.jpg`, `.Trashes` or `.Spotlight-V100`.

    Args:
        name: one part of a path, without slashes; case does not matter.
    """
    return name.startswith(".") or name.lower() in COMPANIONS


def has_companion(path: str) -> bool:
    """Whether any part of a path with forward slashes is a companion; the parts "", "." and ".." are not."""
    return any(is_companion(part) for part in path.split("/") if part not in ("", ".", ".."))
