"""Pictures inside a zip archive, read directly from it: nothing is unpacked to disk."""

import os
import re
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from src.system.companions import has_companion
from src.system.errors import BadFace, UserError, reason_of
from src.system.files import listable

MAX_BYTES = 64 * 1024**2  # of one unpacked member; a JPEG of the largest picture that is decoded is smaller
ENCRYPTED = 0x1  # the bit in a member's flags
# Everything that `zipfile` raises for damaged bytes, in the table or in a member.
DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True)
class ZipListing:
    """The members of an archive, without folders and without the companions that other systems add.

    Attributes:
        sizes: unpacked bytes of each readable member, by name.
        problems: members that cannot be read, and why.
        unsafe: members whose name leads out of the folder or could pass for another member's, and why; they are in no
            other field, so they cannot replace a real picture.
    """

    sizes: dict[str, int]
    problems: dict[str, str]
    unsafe: dict[str, str]


@dataclass(frozen=True, slots=True)
class ZipPicture:
    """A member of a zip archive; each process opens the archive once.

    Attributes:
        archive: the zip file.
        member: its full name in the archive.
        size: unpacked bytes.
    """

    archive: Path
    member: str
    size: int

    def read(self) -> bytes:
        """The member's bytes, with their checksum verified.

        Raises:
            BadFace: the member is damaged, or `list_zip` does not list it as readable.
            OSError: the archive is gone.
        """
        opened = _open(self.archive)
        info = opened.members.get(self.member)
        if info is None:
            reason = opened.listing.problems.get(self.member, f"no such file in {self.archive.name}")
            raise BadFace(self.member, reason)
        try:
            # Reads at most the size in the table, which was checked: a longer stream fails its checksum.
            data = opened.file.read(info)
        except DAMAGE as error:
            reason = f"damaged in {self.archive.name}: {reason_of(error)}"
            raise BadFace(self.member, reason) from None
        if len(data) != info.file_size:  # zipfile checks no sum where the packed data ends early
            raise BadFace(self.member, f"damaged in {self.archive.name}: {len(data):,} of {info.file_size:,} bytes")
        return data


def list_zip(archive: Path) -> ZipListing:
    """The members of an archive; UserError if it cannot be read, is no zip or was cut short."""
    try:
        return _open(archive).listing
    except OSError as error:
        raise UserError(f"{archive} cannot be read: {error.strerror or error}") from None


@dataclass(frozen=True)
class _Archive:
    file: ZipFile
    members: dict[str, ZipInfo]
    listing: ZipListing


def _open(archive: Path) -> _Archive:
    stat = archive.stat()
    # A forked process shares the file's position with its parent, so each process opens the archive again. The time
    # and the size reveal a replaced archive.
    return _opened(archive, os.getpid(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _opened(archive: Path, process: int, modified: int, size: int) -> _Archive:  # noqa: ARG001 - the cache's key
    try:
        file = ZipFile(archive)
    except DAMAGE as error:
        raise UserError(f"{archive} {_what_it_is(archive, size, error)}") from None
    members, listing = dict[str, ZipInfo](), ZipListing({}, {}, {})
    # `filename` is cut at a NUL byte, which lets one member pass for another; `orig_filename` is not.
    times = Counter(info.orig_filename for info in file.infolist())
    for info in file.infolist():
        name = info.orig_filename
        if has_companion(name):
            continue
        unsafe, problem = _unsafe(name), _problem(info, times[name])
        if unsafe:
            listing.unsafe[name if listable(name) else ascii(name)] = unsafe
        elif name.endswith("/"):
            continue
        elif problem:
            listing.problems[name] = problem
        else:
            members[name] = info
            listing.sizes[name] = info.file_size
    return _Archive(file, members, listing)


def _what_it_is(archive: Path, size: int, error: Exception) -> str:
    with archive.open("rb") as file:
        head = file.read(256).lstrip()
    again = "download it again, or unpack it yourself into a folder of its name"
    if head[:1] == b"<":
        return f"is a web page, not a zip archive (such as a notice that a quota is used up): {again}"
    if head[:2] == b"PK":
        return f"was cut short or is damaged ({size:,} bytes; {reason_of(error)}): {again}"
    return f"is not a zip archive ({size:,} bytes): {again}"


def _unsafe(name: str) -> str:
    """Why a member's name is refused; "" for a name that stays inside a folder on every system."""
    if not name:
        return "unsafe name: it is empty"
    if not listable(name):
        return "unsafe name: it holds a control character"
    if "\\" in name:
        return "unsafe name: it holds a backslash"
    if name.startswith("/"):
        return "unsafe name: it is absolute"
    if re.match("[A-Za-z]:", name):
        return "unsafe name: it starts with a drive letter"
    if ".." in name.split("/"):
        return "unsafe name: it leads out of the folder ('..')"
    return ""


def _problem(info: ZipInfo, times: int) -> str:
    if times > 1:
        return f"ambiguous in the archive: {times} members have this name"
    if info.header_offset < 0:
        return "damaged in the archive: it would begin before the archive itself"
    if info.flag_bits & ENCRYPTED:
        return "encrypted in the archive: unpack it with its password"
    if info.file_size > MAX_BYTES:
        return f"too large in the archive: {info.file_size:,} bytes unpacked, a zip bomb?"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return f"packed by method {info.compress_type}: only stored and deflated are read"
    return ""
