from src.data.synthetic import compiled  # noqa: F401 - first: it discards what was compiled from other sources
from src.data.synthetic.render import SyntheticFace, render_face

__all__ = ["SyntheticFace", "render_face"]
