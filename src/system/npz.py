"""Reading of `.npz` files, with one error for everything that may be wrong with one."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.system.errors import reason_of


def read_arrays(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of an `.npz` file, which never holds Python objects.

    Raises:
        OSError: the file cannot be read.
        KeyError: it has no array of such a name.
        ValueError: it is damaged, of another kind, or holds an array that is too large for the memory.
    """
    try:
        with np.load(path, allow_pickle=False) as table:
            missing = [name for name in names if name not in table]
            found = {} if missing else {name: table[name] for name in names}
    except OSError:
        raise
    except Exception as error:  # numpy, zipfile, zlib and ast raise a dozen types for damaged bytes
        raise ValueError(reason_of(error)) from None
    if missing:
        raise KeyError(missing[0])
    strange = [name for name, array in found.items() if not isinstance(array, np.ndarray)]
    if strange:  # numpy gives the bytes of what is no array
        raise ValueError(f"'{strange[0]}' is no array")
    return found
