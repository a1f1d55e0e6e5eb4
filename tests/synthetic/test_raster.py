import numpy as np

from src.synthetic.raster import FAR, Canvas, fill


def triangle(
    corners: list[tuple[float, float, float]], cover: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    attributes = np.zeros((3, 6), np.float32)
    attributes[:, 2], attributes[:, 5] = 1.0, cover
    attributes[:, 3] = [c[0] for c in corners]  # paint u is the column
    return np.array(corners, np.float32), attributes, np.array([[0, 1, 2]], np.int32)


def drawn(canvas: Canvas, corners: list[tuple[float, float, float]], material: int, two_sided: bool = False) -> Canvas:
    screen, attributes, faces = triangle(corners)
    fill(
        screen, attributes, faces, material, two_sided,
        canvas.depth, canvas.material, canvas.cover, canvas.attributes,
    )  # fmt: skip
    return canvas


FRONT = [(0.0, 0.0, 5.0), (0.0, 8.0, 5.0), (8.0, 0.0, 5.0)]


def test_a_triangle_covers_its_pixel_centres_and_interpolates_its_paint() -> None:
    canvas = drawn(Canvas(10), FRONT, 1)
    rows, columns = np.mgrid[0:10, 0:10]
    np.testing.assert_array_equal(canvas.material == 1, rows + columns <= 8)
    inside = canvas.material == 1
    np.testing.assert_allclose(canvas.attributes[..., 3][inside], columns[inside], atol=1e-5)
    assert (canvas.depth[~inside] == FAR).all()


def test_the_nearer_triangle_wins_in_either_order() -> None:
    behind = [(x, y, 2.0) for x, y, _ in FRONT]
    for first, second, a, b in ((FRONT, behind, 1, 2), (behind, FRONT, 2, 1)):
        canvas = drawn(drawn(Canvas(10), first, a), second, b)
        assert canvas.material[2, 2] == 1
        assert canvas.depth[2, 2] == 5


def test_backs_are_drawn_only_when_asked_and_then_face_the_viewer() -> None:
    back = [FRONT[0], FRONT[2], FRONT[1]]
    assert drawn(Canvas(10), back, 1).material.max() == 0
    canvas = drawn(Canvas(10), back, 1, two_sided=True)
    assert canvas.material[2, 2] == 1
    assert canvas.attributes[2, 2, 2] == -1  # the stored normal (0, 0, 1) is turned round


def test_triangles_beyond_the_edge_are_clipped() -> None:
    canvas = drawn(Canvas(10), [(-50.0, -50.0, 1.0), (-50.0, 90.0, 1.0), (90.0, -50.0, 1.0)], 1)
    assert (canvas.material == 1).all()
