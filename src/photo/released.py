"""Where the released networks are."""

from pathlib import Path
from typing import Final

RELEASED: Final = Path(__file__).parents[2] / "weights" / "photo"
"""That for photographs: faces of 12 to 40 pixels."""
