"""Random sampling of one person: the shape of the head, its looks, hair, glasses, light and pose."""

import numpy as np

from src.synthetic.parameters import Colour, Glasses, Hair, Identity, Light, Look, Shape

# Skin from light to dark as 8-bit sRGB, averaged by eye from photographs. Tones between them are interpolated.
_SKIN_TONES = np.array([(240, 204, 186), (228, 182, 154), (205, 156, 120), (164, 112, 80), (116, 74, 52), (78, 49, 36)])
_HAIR_COLOURS = np.array([(20, 17, 16), (34, 25, 20), (58, 40, 28), (92, 62, 38), (150, 112, 66), (196, 160, 104)])
_RARE_HAIR = np.array([(128, 58, 28), (150, 148, 146), (205, 202, 198)])
_IRIS_COLOURS = np.array([(48, 28, 16), (72, 44, 22), (98, 76, 38), (84, 104, 72), (74, 106, 138), (108, 126, 140)])


def _linear(srgb: np.ndarray) -> Colour:
    """Colour in linear light from 8-bit sRGB; a square replaces sRGB's curve, as the root does in `camera.develop`."""
    r, g, b = np.square(np.clip(srgb, 0, 255) / 255.0)
    return float(r), float(g), float(b)


def _between(table: np.ndarray, position: float) -> np.ndarray:
    """Row of `table` at `position` in 0..1, interpolated."""
    grid = np.linspace(0, 1, len(table))
    return np.array([np.interp(position, grid, table[:, c]) for c in range(3)])


def _normal(rng: np.random.Generator, mean: float, std: float) -> float:
    """A normal sample, clipped to two standard deviations to avoid monsters."""
    return mean + std * min(2.0, max(-2.0, float(rng.standard_normal())))


def _sample_shape(rng: np.random.Generator, feminine: float, full_beard: float) -> Shape:
    mouth_open = float(rng.choice([0.0, 1.0, 2.0], p=[0.55, 0.3, 0.15]))
    if mouth_open == 1.0:
        mouth_open = float(rng.uniform(3, 8))
    elif mouth_open == 2.0:
        mouth_open = float(rng.uniform(8, 20))
    smile = float(np.clip(rng.normal(0.25, 0.45), -0.6, 1.2))
    opened = float(np.clip(rng.normal(1.0, 0.2), 0.35, 1.35)) - 0.12 * max(smile, 0.0)
    if rng.random() < 0.04:
        opened = 0.08  # eyes shut
    raised = max(0.0, float(rng.normal(0.0, 2.0)))
    return Shape(
        width=_normal(rng, 1.0 - 0.02 * feminine, 0.03),
        depth=_normal(rng, 1.0, 0.025),
        jaw=_normal(rng, 1.02 - 0.05 * feminine, 0.035),
        chin_width=_normal(rng, 1.0 - 0.06 * feminine, 0.07),
        chin_drop=_normal(rng, 1.5 - 3.0 * feminine, 3.0),
        chin_out=_normal(rng, 0.5 - 0.8 * feminine, 2.2),
        forehead=_normal(rng, 0.0, 2.5),
        cheek=_normal(rng, 4.5 + 0.5 * feminine, 1.5),
        brow_ridge=_normal(rng, 5.0 - 2.8 * feminine, 1.0),
        socket=_normal(rng, 5.5, 1.3),
        eye_x=_normal(rng, 31.9, 1.1),
        eye_half=_normal(rng, 13.9 + 0.4 * feminine, 0.7),
        eye_up=_normal(rng, 5.9 + 0.6 * feminine, 0.7) * opened,
        eye_low=_normal(rng, 3.0, 0.4) * min(1.0, 0.3 + 0.7 * opened),
        eye_tilt=_normal(rng, 0.9, 0.9),
        brow_y=_normal(rng, 0.6 * feminine, 1.6) + raised,
        brow_arch=_normal(rng, 1.0, 0.2) + 0.05 * raised,
        brow_thick=_normal(rng, 3.9 - 1.3 * feminine, 0.6),
        nose_tip_y=_normal(rng, -35.0 + 1.5 * feminine, 2.2),
        nose_width=_normal(rng, 1.06 - 0.07 * feminine, 0.12),
        nose_out=_normal(rng, 19.0 - 1.5 * feminine, 2.3),
        nose_hump=_normal(rng, 0.5 - 0.8 * feminine, 1.2),
        mouth_y=_normal(rng, -66.5, 1.4),
        mouth_half=_normal(rng, 26.6, 1.6) + 3.2 * max(smile, 0.0) - 0.1 * mouth_open,
        lip_up=_normal(rng, 6.9 + 0.7 * feminine, 1.1),
        lip_low=_normal(rng, 10.6 + 0.8 * feminine, 1.4),
        lip_out=_normal(rng, 3.6, 0.7),
        bow=_normal(rng, 2.2, 0.6),
        mouth_open=mouth_open,
        smile=smile,
        ear=_normal(rng, 1.0, 0.08),
        neck=_normal(rng, 1.0 - 0.13 * feminine, 0.04),
        beard_out=3.5 * full_beard,
    )


def _sample_look(rng: np.random.Generator, feminine: float, full_beard: float) -> Look:
    tone = float(rng.beta(1.1, 1.5))
    # Light hair goes with light skin; some is red, grey or white.
    hair_srgb = _between(_HAIR_COLOURS, float(rng.beta(1.0, 1.6)) * (1.0 if tone < 0.4 else 0.35))
    if rng.random() < 0.1:
        hair_srgb = _RARE_HAIR[int(rng.integers(0 if tone < 0.4 else 1, len(_RARE_HAIR)))].astype(float)
    skin = _between(_SKIN_TONES, tone) * rng.uniform(0.95, 1.05, 3)
    lipstick = feminine > 0.5 and rng.random() < 0.45
    # Bare lips are the skin with more blood and less green; dark lips stay closer to the skin.
    lip = skin * np.array([0.88, 0.60 + 0.14 * tone, 0.63 + 0.14 * tone])
    if lipstick:
        lip = 0.35 * lip + 0.65 * np.array([rng.uniform(130, 205), rng.uniform(20, 80), rng.uniform(40, 95)])
    iris_range = 0.35 if tone > 0.45 else 1.0  # light irises go with light skin
    cloth = rng.uniform(15, 240, 3)
    cloth = cloth.mean() + (cloth - cloth.mean()) * rng.uniform(0.1, 0.9)
    masculine = 1.0 - feminine
    return Look(
        skin=_linear(skin),
        lip=_linear(lip),
        iris=_linear(_between(_IRIS_COLOURS, float(rng.random()) * iris_range)),
        hair=_linear(hair_srgb),
        brow=_linear(hair_srgb * rng.uniform(0.55, 0.85)),
        beard=_linear(hair_srgb * rng.uniform(0.75, 1.0)),
        cloth=_linear(cloth),
        frame=_linear(rng.choice(np.array([(18, 18, 20), (60, 34, 20), (150, 150, 155), (120, 30, 36), (30, 40, 70)]))),
        gaze_x=_normal(rng, 0.0, 1.3),
        gaze_y=_normal(rng, 0.0, 0.5),
        brow_dense=float(rng.uniform(0.6, 1.0)),
        lash=float(rng.uniform(0.55, 1.0) if feminine > 0.5 else rng.uniform(0.25, 0.6)),
        lid_shadow=float(rng.uniform(0.2, 0.8)) if lipstick else float(rng.uniform(0.0, 0.25)),
        blush=float(rng.uniform(0.2, 1.0)),
        freckles=float(rng.uniform(0.4, 1.0)) if tone < 0.4 and rng.random() < 0.2 else 0.0,
        age=float(rng.beta(1.2, 2.5)),
        oil=float(rng.uniform(0.3, 1.0)),
        stubble=float(rng.uniform(0.1, 0.9)) * masculine if rng.random() < 0.7 else 0.0,
        beard_full=full_beard,
        moustache=max(full_beard, float(masculine > 0.5 and rng.random() < 0.12)),
        collar=float(rng.uniform(-168, -128)),
        teeth=float(rng.uniform(0.6, 1.0)),
        noise_u=float(rng.uniform(0, 256)),
        noise_v=float(rng.uniform(0, 256)),
    )


def _sample_hair(rng: np.random.Generator, feminine: float) -> Hair:
    weights = [0.02, 0.1, 0.25, 0.63] if feminine > 0.5 else [0.1, 0.55, 0.28, 0.07]
    style = int(rng.choice(4, p=weights))  # bald, short, middling, long
    fringe = rng.random() < (0.2 if feminine > 0.5 else 0.1)
    hairline = _normal(rng, 31.0, 3.0) if fringe and style >= 2 else _normal(rng, 61.0, 5.0)
    return Hair(
        amount=float(style > 0),
        hairline=hairline,
        temple=_normal(rng, -4.0, 4.0),
        sideburn=_normal(rng, -16.0 if feminine < 0.5 else -6.0, 6.0),
        over_ear=(0.0, 14.0, -42.0, -170.0)[style],
        bottom=(-60.0, -62.0, -98.0, float(rng.uniform(-230, -130)))[style],
        thick_top=(0.0, float(rng.uniform(2, 10)), float(rng.uniform(8, 16)), float(rng.uniform(6, 14)))[style],
        thick_side=(0.0, float(rng.uniform(1.5, 5)), float(rng.uniform(5, 12)), float(rng.uniform(6, 18)))[style],
        wave=float(rng.uniform(0.0, 1.0)),
        lopsided=_normal(rng, 0.0, 5.0),
        inward=float(rng.uniform(-0.1, 0.12)),
    )


def _sample_light(rng: np.random.Generator) -> Light:
    azimuth, height = np.radians(_normal(rng, 0, 38)), np.radians(rng.uniform(2, 55))
    warm = float(rng.normal(0, 0.08))
    key = float(rng.uniform(0.7, 1.3))
    sky = rng.uniform(0.14, 0.45) * np.array([1 - warm, 1.0, 1 + 1.4 * warm]) * rng.uniform(0.93, 1.07, 3)
    ground = sky * rng.uniform(0.5, 0.95) * np.array([1.08, 1.0, 0.92])
    return Light(
        key_x=float(np.sin(azimuth) * np.cos(height)),
        key_y=float(np.sin(height)),
        key_z=float(np.cos(azimuth) * np.cos(height)),
        key=(key * (1 + warm), key, key * (1 - 1.3 * warm)),
        sky=(float(sky[0]), float(sky[1]), float(sky[2])),
        ground=(float(ground[0]), float(ground[1]), float(ground[2])),
        rim_x=float(rng.choice([-1.0, 1.0])),
        rim=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.35 else 0.0,
        hard=float(rng.uniform(0.0, 1.0)),
    )


def sample_identity(rng: np.random.Generator) -> Identity:
    """A random person, expression and lighting; `rng` is the only source of randomness."""
    feminine = float(rng.random() < 0.5)
    full_beard = float(rng.random() < 0.22) * (1.0 - feminine)
    return Identity(
        shape=_sample_shape(rng, feminine, full_beard),
        look=_sample_look(rng, feminine, full_beard),
        hair=_sample_hair(rng, feminine),
        light=_sample_light(rng),
        glasses=Glasses(
            on=float(rng.random() < 0.12),
            half_width=_normal(rng, 25.0, 1.5),
            half_height=_normal(rng, 18.5, 2.5),
            square=float(rng.choice([2.0, 3.0, 4.5])),
            tube=float(rng.uniform(0.9, 2.4)),
        ),
        distance=float(rng.uniform(700, 2500)),
        body_turn=float(rng.uniform(0.2, 0.9)),
    )


def sample_pose(rng: np.random.Generator) -> tuple[float, float]:
    """Yaw and pitch in degrees: half of the faces within 20 degrees of frontal, the rest out to 75 on either side."""
    side = float(rng.choice([-1.0, 1.0]))
    yaw = side * float(rng.uniform(0, 20) if rng.random() < 0.5 else rng.uniform(20, 75))
    return yaw, float(rng.triangular(-25, 0, 25))
