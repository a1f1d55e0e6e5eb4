"""What JPEG does to small pictures: a batch at a time, on its device, each at its own quality.

The baseline of ITU-T T.81 with the tables of its annex K, scaled as the Independent JPEG Group's encoder does, and
chroma at half the resolution (4:2:0). Only the lossless entropy coding is left out. torchvision's codec takes one
quality per call and one picture at a time; kornia's rounds softly, to be differentiable.
"""

import functools
import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK: Final = 8
MCU: Final = 16
"""The pixels that one chroma block covers: pictures are whole multiples of it."""
_LUMA: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_CHROMA: Final = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
# ITU-T T.871: Y, Cb and Cr of R, G and B in 0..255; 128 is added to Cb and Cr.
_TO_YCC: Final = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """The pictures after encoding and decoding.

    Args:
        images: (B, 3, H, W) RGB in [0, 255]; H and W are multiples of 16.
        quality: (B,), each 1-100 as the Independent JPEG Group counts.

    Returns:
        (B, 3, H, W) in [0, 255], rounded to whole levels.
    """
    luma_table, chroma_table, dct, to_ycc = _constants(images.device)
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)[:, None, None]
    tables = [((table * scale + 50) / 100).floor().clamp(1, 255) for table in (luma_table, chroma_table)]

    ycc = torch.einsum("kc,bchw->bkhw", to_ycc, images.round()).round()  # as encoders do: 8 bits each
    luma = _coded(ycc[:, :1] - 128, tables[0], dct)
    chroma = _coded(F.avg_pool2d(ycc[:, 1:], 2).round(), tables[1], dct)
    # The encoder's decoder weighs the nearest chroma samples 3/4 and 1/4, which is bilinear at half pixels.
    chroma = F.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False)
    decoded = torch.cat([(luma + 128).round(), chroma.round()], 1)
    return torch.einsum("ck,bkhw->bchw", torch.linalg.inv(to_ycc), decoded).clamp(0, 255).round()


def _coded(planes: Tensor, table: Tensor, dct: Tensor) -> Tensor:
    """Planes (B, C, H, W) around 0 after DCT, quantisation by (B, 8, 8) tables, and inverse DCT."""
    batch, count, height, width = planes.shape
    blocks = planes.reshape(batch, count, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    steps = table[:, None, None, None]
    coefficients = ((dct @ blocks @ dct.T) / steps).round() * steps
    return (dct.T @ coefficients @ dct).transpose(3, 4).reshape(planes.shape)


@functools.cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The quantisation tables, the orthonormal 8-point DCT and the colour matrix, on a device."""
    place, frequency = torch.arange(BLOCK, dtype=torch.float64), torch.arange(BLOCK, dtype=torch.float64)[:, None]
    dct = torch.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK)) / 2
    dct[0] /= math.sqrt(2)
    luma, chroma = (torch.tensor(table, dtype=torch.float32, device=device) for table in (_LUMA, _CHROMA))
    return luma, chroma, dct.float().to(device), torch.tensor(_TO_YCC, device=device)
