"""Aligners in front of methods: what they sample, the transform that stays, and what is refused."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from src.data.pairs import make_pair
from src.evaluation.config import ProtocolConfig
from src.evaluation.run import evaluate
from src.image.pixels import downsample, upsample_bicubic
from src.image.warp import align_small, compose, similarity_matrix
from src.method.aligned import BehindKnown
from src.method.load import load_method, load_methods, split_align
from src.method.method import Facts, apply
from src.model.output import Upscaled
from src.model.stn0 import STN0Config
from src.store.read import FaceStores
from src.system.errors import UserError
from src.upscale import main as upscale
from tests.helpers.tiny_files import checkpoint_content

CPU = torch.device("cpu")
ANGLES, SCALES = torch.tensor([0.4, -0.3]), torch.tensor([0.9, 1.0])
MATRIX = similarity_matrix(ANGLES, SCALES, torch.tensor([0.05, 0.0]), torch.tensor([-0.02, 0.1]))


@pytest.fixture(scope="module")
def aligner_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An STN0 that always answers the same quarter radian."""
    content = checkpoint_content(STN0Config(width=4, hidden=4))
    content["state_dict"]["generator.stn.head.bias"] = torch.tensor([0.25, 0.9, 0.0, 0.0])
    path = tmp_path_factory.mktemp("aligner") / "stn0.ckpt"
    torch.save(content, path)
    return path


def smooth_faces() -> Tensor:
    torch.manual_seed(0)
    return torch.nn.functional.interpolate(torch.rand(2, 3, 5, 5) * 2 - 1, (128, 128), mode="bicubic").clamp(-1, 1)


def test_the_aligned_face_comes_from_the_unaligned_lr_face_alone() -> None:
    hr = smooth_faces()
    lr, matrix = make_pair(hr, torch.stack([ANGLES, SCALES, torch.zeros(2), torch.zeros(2)], 1), "border")
    upright = align_small(lr, matrix)
    true = downsample(hr, 16)
    inner = (..., slice(3, 13), slice(3, 13))
    assert upright.shape == lr.shape
    assert (upright[inner] - true[inner]).abs().mean() < 0.25 * (lr[inner] - true[inner]).abs().mean()
    assert not upright[inner].equal(true[inner]), "the HR face is not asked"


def test_the_known_transform_stays_as_the_matrix() -> None:
    lr = smooth_faces()[:, :, ::8, ::8]
    (method,) = load_methods(["bicubic@known"], CPU)
    output = apply(method, lr, MATRIX)
    assert output.image.equal(upsample_bicubic(align_small(lr, MATRIX), 128))
    assert output.matrix is not None
    assert output.matrix.equal(MATRIX)
    assert (method.name, method.title) == ("bicubic_known", "bicubic after the known transform")


def test_stn0_gives_the_transform_and_is_named_in_the_facts(aligner_file: Path, checkpoint_file: Path) -> None:
    named = ["bicubic", str(checkpoint_file)]
    bicubic, tiny = load_methods(named, CPU, align="stn0", aligner=str(aligner_file))
    lr = smooth_faces()[:, :, ::8, ::8]
    output = apply(bicubic, lr, MATRIX)
    assert output.matrix is not None
    # The mean over the face and its mirror image has no angle.
    still = similarity_matrix(*torch.tensor([[0.0], [0.9], [0.0], [0.0]])).expand(2, 2, 3)
    assert torch.allclose(output.matrix, still, atol=1e-6)
    assert output.image.equal(upsample_bicubic(align_small(lr, output.matrix), 128))
    assert (tiny.name, tiny.title) == ("tiny_stn0", "MTUN-light, tiny after STN0")
    assert (tiny.facts.align, tiny.facts.aligner) == ("stn0", str(aligner_file))
    assert tiny.facts.experiment == "tiny"


class Turns:
    """A method that aligns by itself: by a fixed transform."""

    name, title, facts = "turns", "turns", Facts()
    own = similarity_matrix(*torch.tensor([[0.1], [1.1], [0.2], [-0.1]]))

    def __call__(self, lr: Tensor) -> Upscaled:
        return Upscaled(upsample_bicubic(lr, 128), [], self.own.expand(len(lr), 2, 3))


def test_a_method_that_aligns_itself_does_so_after_the_aligner() -> None:
    output = BehindKnown(Turns()).upright(smooth_faces()[:, :, ::8, ::8], MATRIX)
    assert output.matrix is not None
    assert torch.allclose(output.matrix, compose(MATRIX, Turns.own.expand(2, 2, 3)))


def test_each_method_may_say_what_aligns_it(aligner_file: Path) -> None:
    words = ["bicubic@none", "bicubic@stn0", "bicubic@known", "bicubic", "bicubic_aligned"]
    methods = load_methods(words, CPU, align="known", aligner=str(aligner_file))
    assert [method.name for method in methods] == [
        "bicubic", "bicubic_stn0", "bicubic_known", "bicubic_known_2", "bicubic_aligned",
    ]  # fmt: skip
    assert [method.facts.align for method in methods] == [None, "stn0", "known", "known", None]


def test_a_file_may_be_called_like_an_aligner(tmp_path: Path) -> None:
    (tmp_path / "a@stn0").touch()
    assert split_align(f"{tmp_path}/a@stn0") == (f"{tmp_path}/a@stn0", None)
    assert split_align("a@b.ckpt@known") == ("a@b.ckpt", "known")


@pytest.mark.parametrize(
    ("words", "aligner", "message"),
    [
        (["bicubic@stn0"], None, r"needs a trained STN0: train one with experiment=stn0, and add aligner="),
        (["bicubic@stn0"], "none.ckpt", r"none\.ckpt does not exist"),
        (["bicubic@stn0"], "TINY", r"aligner=.* is a generator \(MTUN-light\), not an aligner"),
        (["bicubic@stn1"], None, r"nothing that aligns is called 'stn1'; there are none, stn0, known"),
        (["bicubic_aligned@known"], None, r"bicubic_aligned is given the known transform already; leave out @known"),
        (["ALIGNER"], None, r"is an aligner \(STN0\), not a generator: use it as aligner="),
        (["ALIGNER@known"], None, r"is an aligner \(STN0\), not a generator: use it as aligner="),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], aligner: str | None, message: str, aligner_file: Path, checkpoint_file: Path
) -> None:
    words = [word.replace("ALIGNER", str(aligner_file)) for word in words]
    with pytest.raises(UserError, match=message) as caught:
        load_methods(words, CPU, aligner=str(checkpoint_file) if aligner == "TINY" else aligner)
    assert len(str(caught.value).splitlines()) == 1


def test_an_aligner_does_not_upscale(aligner_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert upscale([str(tmp_path), "--crops", "--checkpoint", str(aligner_file), "--out", str(tmp_path / "out")]) == 2
    assert "is an aligner (STN0), not a generator" in capsys.readouterr().err


def test_a_network_of_aligned_faces_says_that_it_needs_them_once(
    face_store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["misalignment"] = {"rotation": 0.0, "scale_min": 1.0, "shift": 0.0}
    torch.save(content, tmp_path / "upright.ckpt")
    assert load_method(str(tmp_path / "upright.ckpt"), CPU).facts.needs_aligned
    stores, upright = FaceStores([face_store]), ProtocolConfig(rotation=0.0, scale_min=1.0, shift=0.0)
    runs = [(["X"], ProtocolConfig(), 1), (["X@known", "bicubic"], ProtocolConfig(), 0), (["X"], upright, 0)]
    for words, protocol, said in runs:
        caplog.clear()
        words = [word.replace("X", f"{tmp_path}/upright.ckpt") for word in words]
        with caplog.at_level(logging.WARNING):
            rows = evaluate(load_methods(words, CPU), stores, protocol, CPU, batch_size=2).rows
        assert caplog.text.count("MTUN-light, tiny was made for aligned inputs") == said
        assert len(rows) == 5


def test_alignment_error_and_psnr_registered_are_those_of_the_aligner(face_store: Path) -> None:
    evaluation = evaluate(load_methods(["bicubic@known"], CPU), FaceStores([face_store]), ProtocolConfig(), CPU)
    for row in evaluation.rows:
        scores = row.methods["bicubic_known"].whole
        assert scores["angle_error_deg"] == pytest.approx(0, abs=1e-3)
        assert scores["corner_error_px"] == pytest.approx(0, abs=1e-3)
        assert scores["psnr_registered"] == pytest.approx(scores["psnr_rgb"], abs=0.05)
    assert replace(Facts(), align="known").needs_aligner is False
