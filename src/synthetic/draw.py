"""The way in: `render_face`, with what was compiled from other sources discarded before anything is compiled."""

from src.synthetic import compiled  # noqa: F401 - first: it discards what was compiled from other sources
from src.synthetic.render import SyntheticFace, render_face

__all__ = ["SyntheticFace", "render_face"]
