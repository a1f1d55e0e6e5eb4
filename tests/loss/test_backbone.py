import weakref
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torchvision.models import get_model, squeezenet1_0, vgg19

import src.loss.backbone as backbone_module
from src.loss.backbone import Backbone, vgg_layer
from src.system.errors import UserError


def test_relu3_2_is_vgg19_up_to_features_13() -> None:
    torch.manual_seed(0)
    features = vgg19(weights=None).features
    assert vgg_layer("relu3_2", features) == "features.13"
    assert vgg_layer("conv1_1", features) == "features.0"
    assert vgg_layer("relu5_4", features) == "features.35"
    assert vgg_layer("relu3_5", features) is None
    psi = Backbone("vgg19", "relu3_2", "random")
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        reference = vgg19(weights=None).features[:14].eval()
    normalised = ((images + 1) / 2 - psi.mean) / psi.std
    assert torch.allclose(psi(images), reference(normalised), atol=1e-5)
    assert psi(images).shape == (1, 256, 8, 8)


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_a_local_file_is_loaded_without_its_classifier(tmp_path: Path, form: str) -> None:
    network = squeezenet1_0(weights=None)
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("classifier")}
    path = tmp_path / f"weights.{form}"
    if form == "pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    psi = Backbone("squeezenet1_0", "features.3", str(path))
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    expected = network.features[:4].eval()(((images + 1) / 2 - psi.mean) / psi.std)
    assert torch.allclose(psi(images), expected, atol=1e-5)


def test_what_is_not_needed_of_the_network_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[weakref.ref[torch.nn.Module]] = []

    def build(*args: Any, **kwargs: Any) -> torch.nn.Module:
        network = get_model(*args, **kwargs)
        built.append(weakref.ref(network.classifier))
        return network

    monkeypatch.setattr(backbone_module, "get_model", build)
    psi = Backbone("vgg11", "relu1_1", "random")
    assert built[0]() is None, "the classifier's weights still take half a gigabyte"
    assert psi(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 32, 32)


def test_it_stays_frozen_and_in_eval_mode() -> None:
    psi = Backbone("squeezenet1_0", "features.3", "random")
    psi.train()
    assert not any(module.training for module in psi.modules())
    assert not any(parameter.requires_grad for parameter in psi.parameters())


def test_random_weights_are_said_loudly_and_leave_the_callers_random_numbers(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    Backbone("squeezenet1_0", "features.3", "random")
    assert torch.equal(torch.rand(1), expected)
    assert "RANDOM" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vgg91", "relu3_2", "random"), "no such model"),
        (("squeezenet1_0", "relu3_2", "random"), "no such layer"),
        (("squeezenet1_0", "features.3", "nowhere.pth"), "no such file"),
    ],
)
def test_mistakes_get_one_line(arguments: tuple[str, str, str], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Backbone(*arguments)
    assert "\n" not in str(caught.value)


def test_a_broken_or_foreign_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(b"PK\x03\x04 not whole")
    with pytest.raises(UserError, match="not a whole weights file"):
        Backbone("squeezenet1_0", "features.3", str(path))
    torch.save({"features.0.weight": torch.zeros(96, 3, 7, 7)}, path)
    with pytest.raises(UserError, match="it lacks features"):
        Backbone("squeezenet1_0", "features.3", str(path))
    torch.save({"features.0.weight": torch.zeros(1, 3, 7, 7)}, path)
    with pytest.raises(UserError, match="is no squeezenet1_0"):
        Backbone("squeezenet1_0", "features.3", str(path))


def test_no_network_and_no_file_names_both_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(UserError, match="Connect to the network once, or give a file"):
        Backbone("squeezenet1_0", "features.3", "imagenet")
    assert backbone_module.IMAGENET_MEAN == (0.485, 0.456, 0.406)
