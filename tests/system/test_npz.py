import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from src.system.npz import read_arrays


def table(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_the_named_arrays_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.ones(2), z=np.array([object()]))
    found = read_arrays(tmp_path / "a.npz", ("y", "x"))
    assert list(found) == ["y", "x"]
    assert found["x"].tolist() == [0, 1, 2]
    with pytest.raises(KeyError, match="w"):
        read_arrays(tmp_path / "a.npz", ("x", "w"))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(tmp_path / "a.npz", ("z",))
    with pytest.raises(OSError, match="No such file"):
        read_arrays(tmp_path / "b.npz", ("x",))


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"no array",
        npy(np.arange(3))[:-1],
        npy(np.arange(3)).replace(b"'fortran_order'", b"'''ortran_order'"),  # the header is no Python any more
        npy(np.arange(3)).replace(b"(3,), }", b"(3,), \0"),
        npy(np.arange(3)).replace(b"(3,), }       ", b"(10**30,), }  "),
        npy(np.arange(3)).replace(b"(3,), }              ", b"(9999999999999,), }  "),
    ],
)
def test_whatever_is_damaged_is_one_error(tmp_path: Path, member: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_arrays(table(tmp_path / "a.npz", x=member), ("x",))


def test_another_file_is_the_same_error(tmp_path: Path) -> None:
    for content in (b"", b"PK", b"text", npy(np.arange(3))):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"."):
            read_arrays(tmp_path / "a.npz", ("x",))
