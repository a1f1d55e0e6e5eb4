import numpy as np
import pytest

from src.synthetic.head import HEAD_FACES, head_mesh
from src.synthetic.identity import sample_identity
from src.synthetic.parameters import packed
from src.synthetic.raster import vertex_normals
from src.synthetic.skin_points import head_landmarks


@pytest.mark.parametrize("index", range(4))
def test_landmarks_lie_on_the_mesh(index: int) -> None:
    shape = packed(sample_identity(np.random.default_rng(index)).shape)
    vertices, _ = head_mesh(shape)
    points, normals = head_landmarks(shape)
    apart = np.linalg.norm(points[:, None] - vertices[None], axis=2)
    nearest = apart.argmin(1)
    # The distance along the surface's normal: off the surface, not along it.
    off = np.abs(((points - vertices[nearest]) * normals).sum(1))
    assert apart.min(1).max() < 5  # millimetres, a mesh cell
    assert off.max() < 2
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-9)


def test_the_mesh_is_wound_outwards_and_symmetric() -> None:
    shape = packed(sample_identity(np.random.default_rng(0)).shape)
    vertices, _ = head_mesh(shape)
    normals = vertex_normals(vertices, HEAD_FACES)
    outwards = (normals[:, [0, 2]] * vertices[:, [0, 2]]).sum(1)
    assert (outwards > 0).mean() > 0.9  # the face's hollows and the jaw's underside may turn in
    mirrored = vertices * np.array([-1, 1, 1], np.float32)
    gap = np.linalg.norm(vertices[::7, None] - mirrored[None], axis=2).min(1)
    assert gap.max() < 3  # the column at the back of the head has no twin


def test_the_nose_stands_out_furthest_and_the_eyes_lie_behind_the_brows() -> None:
    for seed in range(10):
        points, _ = head_landmarks(packed(sample_identity(np.random.default_rng(seed)).shape))
        assert points[:, 2].argmax() == 30
        assert points[[19, 24], 2].min() > points[[37, 44], 2].max()
