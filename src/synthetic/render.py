"""Drawing of a face from a seed and an index, with its 68 landmarks and their exact visibility."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from src.face.level import eye_roll
from src.image.crop import FACE_MARGIN
from src.image.sides import SIDE
from src.synthetic import raster
from src.synthetic.camera import backdrop, develop
from src.synthetic.head import HEAD_FACES, head_mesh
from src.synthetic.identity import sample_identity, sample_pose
from src.synthetic.meshes import BODY_FACES, EAR_FACES, HAIR_FACES, body_mesh, ear_mesh, glasses_mesh, hair_mesh
from src.synthetic.noise import CLOUD, NOISE
from src.synthetic.parameters import Identity, packed
from src.synthetic.shade import shade, shade_hair
from src.synthetic.shadow import cast_shadow, occlusion
from src.synthetic.skin_points import head_landmarks

_FINER = 2  # drawn so many times finer than the finished picture
# Millimetres by which a triangle must be nearer than a landmark to hide it: the mesh cuts the corners of the surface
# that the landmark is on, by up to _CHORD along the normal, more along the ray where the surface is steep.
_SLACK, _CHORD = 1.5, 0.6


@dataclass(frozen=True)
class SyntheticFace:
    """A drawn face and its exact landmarks.

    image (128, 128, 3) uint8 RGB; landmarks (68, 2) float32, x and y in pixels of the image, pixel centres at integers,
    iBUG order from 0; visible (68,) bool, False where the head itself hides the point (hair and glasses do not count).
    yaw and pitch in degrees: positive yaw turns the face to image right, so that its image-right side is hidden;
    positive pitch looks up. Roll is 0.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    visible: NDArray[np.bool_]
    yaw: float
    pitch: float


@dataclass(frozen=True)
class LandmarkView:
    """The landmarks of a head in a pose, without its picture.

    landmarks (68, 2) and visible (68,) as in `SyntheticFace`; depth (68,) in its pixels, away from the camera;
    facing (68,): the cosine between the surface's normal at the landmark and the direction to the camera; to_camera
    (3,): the unit direction from the landmarks' mean to the camera, in the head's axes: x to image right, y up, z to
    the viewer of a frontal face.
    """

    landmarks: NDArray[np.float32]
    depth: NDArray[np.float32]
    visible: NDArray[np.bool_]
    facing: NDArray[np.float64]
    to_camera: NDArray[np.float64]


@dataclass(frozen=True)
class _Camera:
    """Perspective camera in front of the head, and the crop that frames the landmarks."""

    rotation: NDArray[np.float64]
    distance: float
    scale: float
    shift: NDArray[np.float64]
    drawn: int
    margin: int

    def turn(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (N, 3) of the head in camera axes: x right, y up, z to the viewer."""
        return np.asarray(points @ self.rotation.T)

    def screen(self, turned: NDArray[np.float64]) -> NDArray[np.float64]:
        """Column, row (pixel centres at integers) and depth (N, 3) of turned points."""
        flat = _perspective(turned, self.distance) * self.scale + self.shift
        return np.concatenate([flat, turned[:, 2:]], 1)


def _perspective(turned: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Image plane coordinates (N, 2), x right and y down, in millimetres at the head's centre."""
    return np.asarray(turned[:, :2] * np.array([1.0, -1.0]) * (distance / (distance - turned[:, 2:])))


def _rotation(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Turn about the upright axis, then tilt about the camera's horizontal one: the head stays upright."""
    y, p = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    return np.asarray(about_x @ about_y)


def _level(points: NDArray[np.float64], rotation: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """The turn (3, 3) about the camera's axis that brings the eyes of landmarks (68, 3) to one height."""
    flat = _perspective(points @ rotation.T, distance)
    roll = float(eye_roll(flat[None], np.ones((1, len(flat)), np.bool_))[0])
    cos, sin = np.cos(roll), np.sin(roll)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])  # y points up here


def _frame(turned: NDArray[np.float64], rotation: NDArray[np.float64], distance: float, margin: int = 0) -> _Camera:
    """Camera whose picture is the square round the landmarks (68, 3), with `margin` finished pixels round it."""
    flat = _perspective(turned, distance)
    low, high = flat.min(0), flat.max(0)
    scale = _FINER * SIDE / (FACE_MARGIN * float((high - low).max()))
    drawn = _FINER * (SIDE + 2 * margin)
    return _Camera(rotation, distance, scale, (drawn - 1) / 2 - scale * (low + high) / 2, drawn, margin)


def _add(
    canvas: raster.Canvas,
    camera: _Camera,
    mesh: tuple[NDArray[np.float32], NDArray[np.float32]],
    faces: NDArray[np.int32],
    material: int,
    *,
    rotation: NDArray[np.float64] | None = None,
    two_sided: bool = False,
) -> NDArray[np.float32]:
    """Draw a mesh: vertices (V, 3) and paint (V, 2), or (V, 3) with the cover; `rotation` replaces the head's.

    Returns the vertices on the screen (V, 3).
    """
    vertices, paint = mesh
    turned = vertices @ (camera.rotation if rotation is None else rotation).T
    attributes = np.ones((len(vertices), 6), np.float32)
    attributes[:, :3] = raster.vertex_normals(turned.astype(np.float32), faces)
    attributes[:, 3 : 3 + paint.shape[1]] = paint
    screen = camera.screen(turned).astype(np.float32)
    raster.fill(
        screen,
        attributes,
        faces,
        material,
        two_sided,
        canvas.depth,
        canvas.material,
        canvas.cover,
        canvas.attributes,
    )
    return screen


def _facing(camera: _Camera, turned: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine (N,) between the unit normals at turned points (N, 3) and the direction to the camera."""
    to_eye = np.array([0.0, 0.0, camera.distance]) - turned
    return np.asarray((normals * to_eye).sum(1) / np.linalg.norm(to_eye, axis=1))


def _hidden(
    screen: NDArray[np.float64],
    facing: NDArray[np.float64],
    skin: list[tuple[NDArray[np.float32], NDArray[np.int32]]],
    drawn: int,
) -> NDArray[np.bool_]:
    """Which landmarks on the screen (68, 3) face away or are behind a triangle of the meshes (vertices, faces)."""
    steep = np.sqrt(1 - np.minimum(facing**2, 1)) / np.maximum(facing, 0.1)
    slack = (_SLACK + _CHORD * steep).astype(np.float32)
    hidden = facing <= 0
    for vertices, faces in skin:
        raster.hide(screen.astype(np.float32), slack, vertices, faces, drawn, hidden)
    return hidden


def _in_picture(screen: NDArray[np.float64], margin: int) -> NDArray[np.float32]:
    """Landmarks (68, 2) in pixels of the finished 128x128 face."""
    return ((screen[:, :2] + 0.5) / _FINER - 0.5 - margin).astype(np.float32)


def view_landmarks(identity: Identity, yaw: float, pitch: float) -> LandmarkView:
    """The landmarks that `draw` gives for a person in a pose (degrees), without the drawing."""
    shape = packed(identity.shape)
    points, normals = head_landmarks(shape)
    rotation, body = _rotation(yaw, pitch), _rotation(yaw * identity.body_turn, 0.4 * pitch)
    turned = points @ rotation.T
    camera = _frame(turned, rotation, identity.distance)
    meshes = [(head_mesh(shape)[0], rotation, HEAD_FACES)]
    if identity.hair.over_ear >= 0:
        meshes += [(ear_mesh(shape, side)[0], rotation, EAR_FACES) for side in (-1.0, 1.0)]
    meshes.append((body_mesh(shape)[0], body, BODY_FACES))
    skin = [(camera.screen(vertices @ turn.T).astype(np.float32), faces) for vertices, turn, faces in meshes]
    screen = camera.screen(turned)
    facing = _facing(camera, turned, normals @ rotation.T)
    to_camera = np.array([0.0, 0.0, camera.distance]) @ rotation - points.mean(0)
    return LandmarkView(
        landmarks=_in_picture(screen, camera.margin),
        depth=(-screen[:, 2] * camera.scale / 2).astype(np.float32),
        visible=~_hidden(screen, facing, skin, camera.drawn),
        facing=facing,
        to_camera=to_camera / np.linalg.norm(to_camera),
    )


def draw(
    identity: Identity, yaw: float, pitch: float, rng: np.random.Generator, margin: int = 0, upright: bool = False
) -> SyntheticFace:
    """Picture of a person in a pose (degrees); `rng` draws the backdrop and the photograph's flaws."""
    shape, look = packed(identity.shape), packed(identity.look)
    hairdo, light = packed(identity.hair), packed(identity.light)
    points, normals = head_landmarks(shape)
    lean = _level(points, _rotation(yaw, pitch), identity.distance) if upright else np.eye(3)
    rotation = lean @ _rotation(yaw, pitch)
    turned = points @ rotation.T
    camera = _frame(turned, rotation, identity.distance, margin)
    canvas = raster.Canvas(camera.drawn)
    skin = [(_add(canvas, camera, head_mesh(shape), HEAD_FACES, raster.SKIN), HEAD_FACES)]
    if identity.hair.over_ear >= 0:  # longer hair covers the ears
        for side in (-1.0, 1.0):
            ear = _add(canvas, camera, ear_mesh(shape, side), EAR_FACES, raster.EAR, two_sided=True)
            skin.append((ear, EAR_FACES))
    body = lean @ _rotation(yaw * identity.body_turn, 0.4 * pitch)
    skin.append((_add(canvas, camera, body_mesh(shape), BODY_FACES, raster.BODY, rotation=body), BODY_FACES))

    screen = camera.screen(turned)
    hidden = _hidden(screen, _facing(camera, turned, normals @ rotation.T), skin, camera.drawn)

    if identity.glasses.on > 0:
        vertices, faces = glasses_mesh(shape, identity.glasses)
        plain = np.zeros((len(vertices), 2), np.float32)
        _add(canvas, camera, (vertices, plain), faces, raster.FRAME, two_sided=True)
    # Hair has a layer of its own: its edge lets the skin through.
    hair = raster.Canvas(camera.drawn)
    hair.depth[:] = canvas.depth
    if identity.hair.amount > 0:
        _add(hair, camera, hair_mesh(shape, hairdo), HAIR_FACES, raster.HAIR, two_sided=True)

    picture = backdrop(rng, camera.drawn)
    depth = np.where(hair.cover > 0, hair.depth, canvas.depth)
    shut_in = occlusion(depth, 1 / camera.scale)
    shadow = cast_shadow(depth, light, 1 / camera.scale)
    canvas.material[hair.cover >= 1] = raster.NOTHING  # no need to light what dense hair covers
    shade(
        picture,
        canvas.material,
        canvas.attributes,
        shut_in,
        shadow,
        shape,
        look,
        light,
        NOISE,
        CLOUD,
    )
    shade_hair(picture, hair.cover, hair.attributes, shut_in, shadow, look, light, NOISE)
    side = SIDE + 2 * margin
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return SyntheticFace(
        image=develop(rng, np.asarray(small, np.float32)),
        landmarks=_in_picture(screen, margin),
        visible=~hidden,
        yaw=yaw,
        pitch=pitch,
    )


def render_face(seed: int, index: int, margin: int = 0, upright: bool = False) -> SyntheticFace:
    """Face number `index` of the endless set `seed`: the same everywhere, whatever was drawn before."""
    rng = np.random.default_rng([seed, index])
    identity = sample_identity(rng)
    yaw, pitch = sample_pose(rng)
    return draw(identity, yaw, pitch, rng, margin, upright)
