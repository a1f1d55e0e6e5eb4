"""From photographs to upright faces: `from src.photo import FaceUpscaler`; torch is imported when that is asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.photo.faces import LeftOut as LeftOut
    from src.photo.faces import UpscaledFace as UpscaledFace
    from src.photo.result import PhotoResult as PhotoResult
    from src.photo.upscaler import FaceUpscaler as FaceUpscaler

_WHERE = {
    "FaceUpscaler": "src.photo.upscaler",
    "LeftOut": "src.photo.faces",
    "PhotoResult": "src.photo.result",
    "UpscaledFace": "src.photo.faces",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _WHERE:
        raise AttributeError(f"module 'src.photo' has no attribute '{name}'")
    return getattr(import_module(_WHERE[name]), name)
