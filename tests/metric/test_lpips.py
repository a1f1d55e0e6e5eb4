from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchmetrics.functional.image.lpips import _LPIPS
from torchvision.models import get_model

from src.metric.lpips import BACKBONES, LPIPS
from src.system.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["alex", "squeeze"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A file of the convolutions alone, with weights that a seed gives."""
    torch.manual_seed(3)
    network = get_model(BACKBONES[request.param], weights=None)
    path = tmp_path_factory.mktemp("lpips") / f"{request.param}.safetensors"
    state = {name: tensor for name, tensor in network.state_dict().items() if name.startswith("features")}
    safetensors.torch.save_file(state, path)
    return request.param, path


def test_it_is_torchmetrics_own_on_the_same_weights(weights: tuple[str, Path]) -> None:
    net, path = weights
    lpips = LPIPS(net, str(path), CPU)
    reference = _LPIPS(net=net, pnet_rand=True)
    state = safetensors.torch.load_file(path)
    layers = {name.split("features.")[1]: tensor for name, tensor in state.items()}
    own = dict(reference.net.named_parameters())
    with torch.no_grad():
        for name, parameter in own.items():  # "slice1.0.weight" or "slices.0.0.weight"
            inside = name.split(".", 1 if net == "alex" else 2)[-1]
            parameter.copy_(layers[inside])
    sr, hr = torch.rand(2, 3, 64, 64) * 2 - 1, torch.rand(2, 3, 64, 64) * 2 - 1
    found = lpips(sr, hr)
    torch.testing.assert_close(found, reference(sr, hr).flatten(), rtol=0, atol=1e-7)
    assert (found > 1e-6).all()
    assert lpips(hr, hr).abs().max() == 0
    assert lpips.metric().key == f"lpips_{net}"


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"not in torch hub's cache: give metrics.lpips_weights=FILE"):
        LPIPS("vgg", None, CPU)
    with pytest.raises(UserError, match=r"metrics.lpips_weights=none.pth: no such file"):
        LPIPS("alex", "none.pth", CPU)


def test_weights_of_another_network_are_refused(weights: tuple[str, Path]) -> None:
    net, path = weights
    with pytest.raises(UserError, match="is no "):
        LPIPS("squeeze" if net == "alex" else "alex", str(path), CPU)
