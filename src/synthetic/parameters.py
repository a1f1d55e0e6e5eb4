"""The parameters of a drawn person, as named tuples that compiled functions accept."""

from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

Colour = tuple[float, float, float]


class Shape(NamedTuple):
    """Geometry and expression of one head, in millimetres or as factors around 1.

    The origin is at the level of the outer eye corners, near the ear axis; x to image right, y up, z to the viewer.
    """

    width: float
    depth: float
    jaw: float
    chin_width: float
    chin_drop: float
    chin_out: float
    forehead: float
    cheek: float
    brow_ridge: float
    socket: float
    eye_x: float
    eye_half: float
    eye_up: float
    eye_low: float
    eye_tilt: float
    brow_y: float
    brow_arch: float
    brow_thick: float
    nose_tip_y: float
    nose_width: float
    nose_out: float
    nose_hump: float
    mouth_y: float
    mouth_half: float
    lip_up: float
    lip_low: float
    lip_out: float
    bow: float
    mouth_open: float
    smile: float
    ear: float
    neck: float
    beard_out: float


class Look(NamedTuple):
    """Colours (linear light, 0..1) and amounts (0..1) of what is painted on the head."""

    skin: Colour
    lip: Colour
    iris: Colour
    hair: Colour
    brow: Colour
    beard: Colour
    cloth: Colour
    frame: Colour
    gaze_x: float
    gaze_y: float
    brow_dense: float
    lash: float
    lid_shadow: float
    blush: float
    freckles: float
    age: float
    oil: float
    stubble: float
    beard_full: float
    moustache: float
    collar: float
    teeth: float
    noise_u: float
    noise_v: float


class Hair(NamedTuple):
    """Shape of the hair: heights and thicknesses in millimetres; `amount` 0 is a bald head."""

    amount: float
    hairline: float
    temple: float
    sideburn: float
    over_ear: float
    bottom: float
    thick_top: float
    thick_side: float
    wave: float
    lopsided: float
    inward: float


class Light(NamedTuple):
    """Key light, ambient and rim light: unit vectors to the light (x right, y up, z to viewer), linear colours."""

    key_x: float
    key_y: float
    key_z: float
    key: Colour
    sky: Colour
    ground: Colour
    rim_x: float
    rim: float
    hard: float


class Glasses(NamedTuple):
    """Spectacle frame in millimetres; `on` is 0 or 1, `square` the exponent of the rim's superellipse."""

    on: float
    half_width: float
    half_height: float
    square: float
    tube: float


class Identity(NamedTuple):
    """Everything about a picture except the pose, the backdrop and the photograph's flaws."""

    shape: Shape
    look: Look
    hair: Hair
    light: Light
    glasses: Glasses
    distance: float
    body_turn: float


Parameters = TypeVar("Parameters", Shape, Look, Hair, Light)


def packed(parameters: Parameters) -> Parameters:
    """The same fields as a NumPy record, in which a colour is an array (3,).

    Compiled functions get a pointer to it; a tuple of forty numbers would be copied at every call, for every pixel.
    """
    kinds = [(name, float, np.shape(value)) for name, value in parameters._asdict().items()]
    row: Any = [tuple(parameters)]
    return cast(Parameters, np.array(row, dtype=np.dtype(kinds)).view(np.recarray)[0])
