import torch

from src.data.batch import FaceBatch, HeatmapConfig, Pairs, make_batch
from src.data.own_frame import hr_in_own_frame, in_own_frame
from src.image.pixels import to_network
from src.image.surroundings import Surroundings
from src.image.warp import align, angle_of, compose, corner_distances, invert, similarity_matrix, warp
from src.metric.alignment import METRICS
from src.metric.image import METRICS as METRICS_OF_IMAGES
from src.metric.image import psnr
from src.metric.metric import Judged, score
from src.model.output import Upscaled


def pairs(margin: int = 48, fill: str = "context", faces: int = 3) -> Pairs:
    torch.manual_seed(0)
    side = 128 + 2 * margin
    coarse = torch.rand(faces, 3, 12, 12) * 255
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 255).round()
    batch = FaceBatch(
        images.to(torch.uint8).permute(0, 2, 3, 1).contiguous(),
        torch.rand(faces, 68, 2) * 80 + 24,
        torch.ones(faces, 68, dtype=torch.bool),
        torch.tensor([[0.5, 0.9, 0.05, -0.08], [-0.4, 0.86, 0.0, 0.1], [0.0, 1.0, 0.0, 0.0]])[:faces],
        torch.zeros(faces, dtype=torch.bool),
    )
    return make_batch(batch, HeatmapConfig(), 32, fill)  # type: ignore[arg-type]


def test_context_fills_the_corners_and_leaves_the_face() -> None:
    context, black = pairs(fill="context"), pairs(fill="black")
    assert context.hr.equal(black.hr)
    assert context.matrix.equal(black.matrix)
    corner = black.lr[0, :, 0, 0]
    assert (corner == -1).all()
    assert (context.lr[0, :, 0, 0] > -1).any()
    middle = slice(5, 11)
    assert (context.lr - black.lr)[:, :, middle, middle].abs().max() <= 2 / 255 + 1e-6


def test_black_pairs_of_a_store_with_surroundings_are_those_of_one_without() -> None:
    wide, bare = pairs(48, "black"), pairs(0, "black")
    assert wide.surroundings is not None
    assert bare.surroundings is None
    inner = to_network(wide.surroundings.pictures[:, 48:-48, 48:-48])
    assert wide.hr.equal(inner)


def test_the_true_transform_gives_the_hr_face() -> None:
    given = pairs()
    assert (hr_in_own_frame(given, given.matrix) - given.hr).abs().max() < 1e-3
    moved = in_own_frame(given, given.matrix, 3.0)
    assert torch.allclose(moved.landmarks, given.landmarks, atol=1e-3)
    assert moved.heatmaps is not None
    assert given.heatmaps is not None
    assert torch.allclose(moved.heatmaps, given.heatmaps, atol=1e-3)


def test_an_estimate_that_is_off_moves_picture_and_landmarks_together() -> None:
    """A generator that samples the unaligned picture by its own transform restores exactly the target."""
    given = pairs()
    off = similarity_matrix(*(torch.full((3,), value) for value in (0.05, 1.02, 0.03, -0.02)))
    estimate = compose(given.matrix, off)
    target = hr_in_own_frame(given, estimate)
    assert given.surroundings is not None
    # The upright face moved by the same error, away from the edges.
    direct = align(given.hr, off)
    assert (target - direct)[:, :, 24:-24, 24:-24].abs().mean() < 0.01
    moved = in_own_frame(given, estimate, 3.0)
    back = invert(off)
    expected = ((given.landmarks + 0.5) / 64 - 1) @ back[:, :, :2].transpose(1, 2) + back[:, None, :, 2]
    assert torch.allclose(moved.landmarks, (expected + 1) * 64 - 0.5, atol=1e-2)


def test_a_perfect_restoration_in_the_wrong_place_has_a_perfect_registered_psnr() -> None:
    given = pairs()
    estimate = compose(given.matrix, similarity_matrix(*(torch.full((3,), value) for value in (0.1, 1.0, 0.05, 0.0))))
    judged = Judged(Upscaled(hr_in_own_frame(given, estimate), [], estimate), given)
    from src.metric.load import all_metrics

    scores = score(judged, all_metrics())
    assert (scores["psnr_registered"] > 50).all()
    assert (scores["psnr_rgb"] < 40).all()
    assert torch.allclose(scores["angle_error_deg"], torch.full((3,), 5.7296), atol=1e-2)
    bare = Judged(judged.output, given._replace(surroundings=None))
    assert not {"psnr_registered", "psnr_registered_shown"} & set(score(bare, all_metrics()))


def test_what_the_lr_face_does_not_show_counts_in_one_of_two_registered_psnrs() -> None:
    given = pairs()
    outside = warp(torch.ones(3, 1, 128, 128), given.matrix) < 0.5
    share = outside.float().mean((1, 2, 3))
    assert (share[:2] > 0.02).all(), "turned by 0.5 and 0.4 radians, shifted"
    assert share[2] == 0, "upright"
    guessed = torch.where(outside, -given.hr, given.hr)
    scores = score(Judged(Upscaled(guessed, [], given.matrix), given), METRICS_OF_IMAGES)
    assert (scores["psnr_registered_shown"] > 50).all()
    assert (scores["psnr_registered"][:2] < 30).all()
    wrong = torch.where(outside, given.hr, (given.hr + 0.2).clamp(-1, 1))
    scores = score(Judged(Upscaled(wrong, [], given.matrix), given), METRICS_OF_IMAGES)
    assert (scores["psnr_registered_shown"][:2] < scores["psnr_registered"][:2]).all()
    assert torch.allclose(scores["psnr_registered_shown"][2], scores["psnr_registered"][2])
    away = given.matrix + torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]])
    scores = score(Judged(Upscaled(given.hr, [], away), given), METRICS_OF_IMAGES)
    assert scores["psnr_registered_shown"].isnan().all(), "no pixel is shown"


def test_alignment_errors_are_those_of_a_known_displacement() -> None:
    truth = similarity_matrix(*(torch.tensor([value]) for value in (0.0, 1.0, 0.0, 0.0)))
    moved = similarity_matrix(*(torch.tensor([value]) for value in (0.0, 1.1, 0.06, 0.08)))
    given = pairs(faces=1)._replace(matrix=truth)
    found = score(Judged(Upscaled(given.hr, [], moved), given), METRICS)
    assert (
        float(found["scale_error_percent"]) == torch.tensor(10.0).item()
        or abs(float(found["scale_error_percent"]) - 10) < 1e-3
    )
    assert abs(float(found["shift_error_px"]) - 6.4) < 1e-3
    corners = torch.tensor([[-0.1 + 0.06, -0.1 + 0.08], [0.16, -0.02], [-0.04, 0.18], [0.16, 0.18]]).norm(dim=1)
    assert abs(float(found["corner_error_px"]) - float(corners.mean()) * 64) < 1e-2
    assert angle_of(moved).abs().max() < 1e-6
    assert psnr(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)).item() == torch.inf


def test_under_autocast_the_frame_is_as_exact_as_without() -> None:
    given = pairs()
    estimate = compose(given.matrix, similarity_matrix(*(torch.full((3,), value) for value in (0.1, 1.03, 0.05, 0.02))))
    exact = in_own_frame(given, estimate, 3.0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = in_own_frame(given, estimate, 3.0)
        distances = corner_distances(estimate, given.matrix)
    assert (mixed.landmarks - exact.landmarks).abs().max() < 1e-3
    assert (mixed.hr - exact.hr).abs().max() < 1e-3
    assert distances.dtype == torch.float32
    assert torch.equal(distances, corner_distances(estimate, given.matrix))


def test_targets_send_no_gradient_to_the_estimate() -> None:
    given = pairs()
    estimate = (given.matrix + 0.02).requires_grad_(True)
    moved = in_own_frame(given, estimate, 3.0)
    assert moved.heatmaps is not None
    assert not moved.heatmaps.requires_grad
    assert not moved.hr.requires_grad
    assert not moved.landmarks.requires_grad


def test_a_mirrored_face_has_mirrored_surroundings() -> None:
    """Sampled anywhere, the mirrored picture is the mirror image of the picture sampled at the mirrored place."""
    pictures = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8)
    plain = Surroundings(pictures, torch.tensor([False, False]))
    turned = Surroundings(pictures.flip(2), torch.tensor([True, True]))
    matrix = similarity_matrix(*(torch.tensor([a, b]) for a, b in ((0.3, -0.5), (1.1, 0.9), (0.2, 0.0), (-0.1, 0.1))))
    assert torch.allclose(plain.sample(matrix), turned.sample(matrix), atol=1e-4)
    assert torch.equal(plain.face(), turned.face())
