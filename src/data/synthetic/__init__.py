from src.data.synthetic.render import SyntheticFace, render_face

__all__ = ["SyntheticFace", "render_face"]
