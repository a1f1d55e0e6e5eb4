"""What a person gets: the names of the results, and writing them without a loss."""

from io import BytesIO
from pathlib import Path

from PIL import Image
from torch import Tensor

from src.image.pixels import to_bytes
from src.system.errors import UserError
from src.system.files import write_whole


class Names:
    """Deals out output names: `NAME.png` and `NAME_heatmaps.png`, with `_2`, `_3` ... where NAME is taken already."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, stem: str) -> str:
        """A name whose files nobody else of this run writes."""
        number, name = 1, stem
        # Folded: some file systems don't tell A.png from a.png.
        while not self._taken.isdisjoint(wanted := {f"{name}.png".casefold(), f"{name}_heatmaps.png".casefold()}):
            number += 1
            name = f"{stem}_{number}"
        self._taken |= wanted
        return name


def save(pictures: dict[Path, Tensor], inputs: set[Path], overwrite: bool) -> None:
    """Write (1, 3, H, W) in [-1, 1] as 8-bit PNGs.

    Raises:
        UserError: a file is there already, or is one of the inputs (then none is written), or cannot be written.
    """
    for path in pictures:
        if path.resolve() in inputs:
            raise UserError(f"{path} is an input and stays as it is; choose another --out")
        if path.exists() and not overwrite:
            raise UserError(f"{path} is there already; --overwrite replaces it")
    for path, image in pictures.items():
        png = BytesIO()
        Image.fromarray(to_bytes(image)[0].cpu().numpy()).save(png, "PNG")
        try:
            write_whole(path, png.getvalue())
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}") from None
