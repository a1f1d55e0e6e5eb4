"""Names the upscaled pictures and writes them, without overwriting anything unasked."""

from pathlib import Path

from PIL import Image
from torch import Tensor

from src.image.encode import png_bytes
from src.image.pixels import to_bytes
from src.system.errors import UserError
from src.system.files import write_whole


class Names:
    """Gives out file names: `NAME.png` and `NAME_heatmaps.png`, with `_2`, `_3` ... if NAME is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, stem: str) -> str:
        """A name whose files no other picture of this run uses."""
        number, name = 1, stem
        # Case-folded: to some file systems A.png and a.png are the same.
        while not self._taken.isdisjoint(wanted := {f"{name}.png".casefold(), f"{name}_heatmaps.png".casefold()}):
            number += 1
            name = f"{stem}_{number}"
        self._taken |= wanted
        return name


def save(pictures: dict[Path, Tensor], inputs: set[Path], overwrite: bool) -> None:
    """Write (1, 3, H, W) in [-1, 1] as 8-bit PNGs in sRGB.

    Raises:
        UserError: a file exists already or is one of the inputs (then none is written), or cannot be written.
    """
    for path in pictures:
        if path.resolve() in inputs:
            raise UserError(f"{path} is an input, which is never overwritten; choose another --out")
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists already; --overwrite replaces it")
    for path, image in pictures.items():
        try:
            write_whole(path, png_bytes(Image.fromarray(to_bytes(image)[0].cpu().numpy())))
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}") from None
