"""Dictionaries of faces: what goes into them, what their file says, and which files are refused."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from src.data.config import DataConfig
from src.data.pairs import MisalignmentConfig
from src.image.pixels import downsample, to_bytes, to_network
from src.method.dictionary import DictionaryConfig, load_dictionary, made, planned
from src.method.dictionary_file import BadDictionary, Dictionary, made_of, read_card, write_dictionary
from src.method.load import load_methods
from src.method.ma2010 import Ma2010Config
from src.method.nearest_face import NearestFaceConfig
from src.store.read import FaceStores
from tests.helpers.tiny_files import write_store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> FaceStores:
    folder = tmp_path_factory.mktemp("stores")
    return FaceStores([write_store(folder / "a", 7, seed=1), write_store(folder / "b", 4, seed=2, margin=0)])


def dictionary(config: DictionaryConfig, stores: FaceStores, degradation: str = "bicubic") -> Dictionary:
    data = DataConfig((), (), misalignment=MisalignmentConfig(0, 1, 1, 0), degradation=degradation)  # type: ignore[arg-type]
    return made(config, data, stores, planned(config, data, stores, "tiny", 5))


@pytest.fixture(scope="module")
def files(stores: FaceStores, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dictionaries")
    for config in (NearestFaceConfig(faces=4), Ma2010Config()):
        write_dictionary(folder / f"{config.name}.safetensors", dictionary(config, stores))
    return {path.stem: path for path in folder.iterdir()}


def test_it_holds_the_upright_faces_evenly_spread_as_they_are(stores: FaceStores) -> None:
    tensors = dictionary(NearestFaceConfig(faces=4), stores).tensors
    hr = torch.from_numpy(stores.images([0, 3, 7, 10], margin=0))
    assert torch.equal(tensors["hr"], hr), "neither mirrored nor in another light"
    assert torch.equal(tensors["lr"], to_bytes(downsample(to_network(hr), 16)))


def test_faces_get_small_as_the_data_say_with_draws_of_the_seed(stores: FaceStores) -> None:
    bicubic, camera, again = (
        dictionary(NearestFaceConfig(), stores, kind) for kind in ("bicubic", "camera", "camera")
    )  # fmt: skip
    assert not torch.equal(bicubic.tensors["lr"], camera.tensors["lr"])
    assert torch.equal(camera.tensors["lr"], again.tensors["lr"])
    assert torch.equal(bicubic.tensors["hr"], camera.tensors["hr"])
    assert camera.card.degradation["jpeg_min"] == 60


def test_the_file_says_what_it_was_made_of(files: dict[str, Path], stores: FaceStores) -> None:
    card = read_card(files["ma2010"])
    assert card.method == {"name": "ma2010", "faces": 2000, "regularisation": 1e-6}
    assert (card.faces, card.seed, card.experiment) == (11, 5, "tiny")
    assert card.stores == made_of(stores)
    assert card.stores[1].images_sha256 == stores.stores[1].card.files["images.npy"].sha256
    facts = load_dictionary(files["nearest_face"], CPU).facts
    assert (facts.faces, facts.seed, facts.needs_aligned, facts.degradation) == (4, 5, True, "bicubic")


@pytest.mark.parametrize("name", ["nearest_face", "ma2010"])
def test_a_file_restores_faces_as_the_dictionary_does_behind_any_aligner(name: str, files: dict[str, Path]) -> None:
    lr = torch.rand(3, 3, 16, 16) * 2 - 1
    plain, known = load_methods([f"{files[name]}@none", f"{files[name]}@known"], CPU)
    (last,) = load_methods([], CPU, checkpoint=str(files[name]))
    output = plain(lr)
    assert output.image.shape == (3, 3, 128, 128)
    assert output.image.abs().max() <= 1
    assert (output.heatmaps, output.matrix) == ([], None)
    assert torch.equal(last(lr).image, output.image)
    assert (plain.name, known.name) == (name, f"{name}_known")
    assert plain.facts.needs_aligner
    assert not known.facts.needs_aligner


def test_anyone_who_may_read_other_new_files_may_read_it(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert files["ma2010"].stat().st_mode == (tmp_path / "other").stat().st_mode


def refused(path: Path, words: str) -> None:
    with pytest.raises(BadDictionary, match=words) as caught:
        load_methods([str(path)], CPU)
    assert "\n" not in str(caught.value)


def test_a_dictionary_of_another_layout_is_refused_with_the_remedy(files: dict[str, Path], tmp_path: Path) -> None:
    path, known = tmp_path / "other.safetensors", Dictionary(read_card(files["ma2010"]), load_file(files["ma2010"]))
    write_dictionary(path, dataclasses.replace(known, card=dataclasses.replace(known.card, layout=99)))
    refused(path, r"has the dictionary layout 99, this version reads 1; make it again: python -m src\.train")
    write_dictionary(path, dataclasses.replace(known, card=dataclasses.replace(known.card, method={"name": "x"})))
    refused(path, "is a dictionary of 'x', which this version lacks")
    write_dictionary(path, dataclasses.replace(known, card=dataclasses.replace(known.card, faces="two")))  # type: ignore[arg-type]
    refused(path, "does not describe a dictionary .faces")


def test_a_damaged_file_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    path, whole = tmp_path / "cut.safetensors", files["ma2010"].read_bytes()
    for content in (b"", b"no", whole[:40], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        refused(path, "is cut short, damaged or no safetensors file")
    refused(tmp_path / "missing.safetensors", "does not exist: give the dictionary.safetensors of a run folder")
    save_file({"a": torch.zeros(1)}, path)
    refused(path, "is a safetensors file but no dictionary of faces")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mean_lr", None, "has no tensor 'mean_lr'"),
        ("mean_lr", torch.zeros(64, 26), r"tensor 'mean_lr' is torch.float32 \(64, 26\), not torch.float32 \(64, 27\)"),
        ("mean_lr", torch.full((64, 27), float("nan")), "tensor 'mean_lr' is not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    name: str, value: torch.Tensor | None, words: str, files: dict[str, Path], tmp_path: Path
) -> None:
    tensors = {**load_file(files["ma2010"]), name: value}
    known = {key: tensor for key, tensor in tensors.items() if tensor is not None}
    write_dictionary(tmp_path / "x.safetensors", Dictionary(read_card(files["ma2010"]), known))
    refused(tmp_path / "x.safetensors", words)


def test_a_file_of_fewer_faces_than_its_card_says_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    tensors = {key: tensor[:3].clone() for key, tensor in load_file(files["nearest_face"]).items()}
    write_dictionary(tmp_path / "x.safetensors", Dictionary(read_card(files["nearest_face"]), tensors))
    refused(
        tmp_path / "x.safetensors", r"tensor 'lr' is torch.uint8 \(3, 16, 16, 3\), not torch.uint8 \(4, 16, 16, 3\)"
    )
