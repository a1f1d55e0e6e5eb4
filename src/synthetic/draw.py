"""The entry point `render_face`; outdated compiled functions are deleted before anything is compiled."""

from src.synthetic import compiled  # noqa: F401 - first: it deletes outdated compiled functions
from src.synthetic.render import SyntheticFace, render_face

__all__ = ["SyntheticFace", "render_face"]
