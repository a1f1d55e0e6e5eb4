import io

import numpy as np
import pytest
import torch
from PIL import Image

from src.data.jpeg import jpeg


def pictures(count: int = 8) -> np.ndarray:
    """Smooth colours with edges and some noise, 32x32."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    smooth = [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) for image in coarse]
    noisy = np.stack(smooth) + random.normal(0, 4, (count, 32, 32, 3))
    noisy[:, 10:20, 12:14] = 20
    return noisy.clip(0, 255).round().astype(np.uint8)


def ours(images: np.ndarray, quality: float) -> np.ndarray:
    given = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    return jpeg(given, torch.full((len(images),), float(quality))).permute(0, 2, 3, 1).numpy()


def pillows(images: np.ndarray, quality: int) -> np.ndarray:
    decoded = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        decoded.append(np.asarray(Image.open(file)))
    return np.stack(decoded).astype(np.float32)


@pytest.mark.parametrize("quality", [5, 20, 49, 50, 75, 95])
def test_it_is_what_a_real_encoder_does(quality: int) -> None:
    """The rest is the real encoder's integer arithmetic: a coefficient near a half may round the other way."""
    images = pictures()
    real = pillows(images, quality)
    damage = np.abs(real - images).mean()
    assert np.abs(ours(images, quality) - real).mean() < 0.2 * damage
    assert np.median(np.abs(ours(images, quality) - real)) <= 1


def test_each_picture_has_its_own_quality() -> None:
    image = pictures(1)
    both = jpeg(torch.from_numpy(image).permute(0, 3, 1, 2).float().repeat(2, 1, 1, 1), torch.tensor([10.0, 90.0]))
    assert np.array_equal(both[0].permute(1, 2, 0).numpy(), ours(image, 10)[0])
    assert np.array_equal(both[1].permute(1, 2, 0).numpy(), ours(image, 90)[0])


def test_a_flat_picture_stays_flat() -> None:
    flat = np.full((1, 32, 32, 3), 117, np.uint8)
    assert (ours(flat, 95) == 117).all()
