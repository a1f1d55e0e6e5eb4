import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from src.model.checkpoint import load_checkpoint
from src.model.light import LightConfig
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY, checkpoint_content

ROOT = Path(__file__).parents[2]


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_the_generator_comes_back_as_it_was_saved(checkpoint_file: Path) -> None:
    before = torch.random.get_rng_state()
    checkpoint = load_checkpoint(checkpoint_file)
    assert torch.random.get_rng_state().equal(before)  # reading draws no random number

    assert checkpoint.config == TINY
    assert (checkpoint.epoch, checkpoint.iterations) == (3, 40)
    assert checkpoint.training["name"] == "tiny"
    assert not any(module.training for module in checkpoint.generator.modules())
    saved = checkpoint_content()["state_dict"]
    for name, tensor in checkpoint.generator.state_dict().items():
        torch.testing.assert_close(tensor, saved[f"generator.{name}"], rtol=0, atol=0)
    assert checkpoint.generator(torch.zeros(1, 3, 16, 16)).image.shape == (1, 3, 128, 128)


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    content = checkpoint_content()
    content["state_dict"] = {
        name: tensor.bfloat16() if tensor.is_floating_point() else tensor
        for name, tensor in content["state_dict"].items()
    }
    torch.save(content, tmp_path / "half.ckpt")
    generator = load_checkpoint(tmp_path / "half.ckpt").generator
    assert {parameter.dtype for parameter in generator.parameters()} == {torch.float32}


class Malicious:
    """Unpickled without care, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("where", ["state_dict", "hyper_parameters", "callbacks"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, where: str) -> None:
    path, mark = tmp_path / "evil.ckpt", tmp_path / "mark"
    content = checkpoint_content()
    content.setdefault(where, {})["x"] = Malicious(mark)
    torch.save(content, path)
    message = refused(path)
    assert not mark.exists()
    assert "posix.mkdir" in message
    # The file does what it says where nobody takes care, so the test would see it.
    torch.load(path, weights_only=False)
    assert mark.exists()


def test_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "evil.pkl", tmp_path / "mark"
    path.write_bytes(pickle.dumps(Malicious(mark)))
    assert "is no checkpoint" in refused(path)
    assert not mark.exists()


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.ckpt")
    assert "is a folder" in refused(tmp_path)


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    for data in (b"", bytes(range(256)) * 40, b"PK", b"\x80\x02garbage", b"\x89PNG\r\n\x1a\n" + bytes(100)):
        path.write_bytes(data)
        assert "is no checkpoint" in refused(path)
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    assert "is no checkpoint" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "zip file but no checkpoint" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"not a pickle")
    refused(path)
    torch.save(torch.zeros(3), path)
    assert "holds a Tensor" in refused(path)


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.99])
def test_a_checkpoint_cut_short(tmp_path: Path, checkpoint_file: Path, share: float) -> None:
    data = checkpoint_file.read_bytes()
    path = tmp_path / "cut.ckpt"
    path.write_bytes(data[: max(8, int(len(data) * share))])
    assert "cut short" in refused(path)


def test_a_damaged_byte_is_found(tmp_path: Path, checkpoint_file: Path) -> None:
    data = bytearray(checkpoint_file.read_bytes())
    with zipfile.ZipFile(checkpoint_file) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    data[largest.header_offset + largest.file_size // 2] ^= 0x40  # inside a weight: torch itself would not notice
    path = tmp_path / "damaged.ckpt"
    path.write_bytes(data)
    assert "damaged" in refused(path)


def saved_after(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = checkpoint_content()
    change(content)
    torch.save(content, tmp_path / "changed.ckpt")
    return tmp_path / "changed.ckpt"


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    for key in ("hyper_parameters", "state_dict"):
        assert "something else" in refused(saved_after(tmp_path, lambda content, key=key: content.pop(key)))
    assert "something else" in refused(saved_after(tmp_path, lambda c: c.update(hyper_parameters={"lr": 0.1})))


def test_a_configuration_that_this_version_does_not_know(tmp_path: Path) -> None:
    def generator(content: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = content["hyper_parameters"]["model"]["generator"]
        return values

    assert "'srgan'" in refused(saved_after(tmp_path, lambda c: generator(c).update(name="srgan")))
    assert "'wings'" in refused(saved_after(tmp_path, lambda c: generator(c).update(wings=2)))
    assert "does not build" in refused(saved_after(tmp_path, lambda c: generator(c).update(width="wide")))


def test_weights_of_another_network_name_the_first_tensor(tmp_path: Path) -> None:
    def wider(content: dict[str, Any]) -> None:
        content["state_dict"] = checkpoint_content(LightConfig(width=24, blocks16=1, blocks32=1, heb=TINY.heb))[
            "state_dict"
        ]

    message = refused(saved_after(tmp_path, wider))
    assert "'generator.stem.0.weight' is (12, 3, 3, 3), not (8, 3, 3, 3)" in message
    assert "no tensor 'generator.stem.0.bias'" in refused(
        saved_after(tmp_path, lambda c: c["state_dict"].pop("generator.stem.0.bias"))
    )
    assert "'generator.extra'" in refused(
        saved_after(tmp_path, lambda c: c["state_dict"].update({"generator.extra": torch.zeros(1)}))
    )


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    path = saved_after(tmp_path, lambda c: c["state_dict"]["generator.stem.0.bias"].fill_(float("nan")))
    assert "'generator.stem.0.bias' is not finite" in refused(path)


def averaged_file(tmp_path: Path) -> Path:
    def add(content: dict[str, Any]) -> None:
        tensors = {name.removeprefix("generator."): tensor + 1 for name, tensor in content["state_dict"].items()
                   if name.startswith("generator.")}  # fmt: skip
        content["averaged"] = {"updates": 40, "generator": tensors}

    return saved_after(tmp_path, add)


def test_the_average_is_taken_where_there_is_one_and_raw_weights_on_request(
    tmp_path: Path, checkpoint_file: Path
) -> None:
    path, raw = averaged_file(tmp_path), checkpoint_content()["state_dict"]["generator.stem.0.bias"]
    for weights, taken, more in (("auto", "averaged", 1.0), ("averaged", "averaged", 1.0), ("raw", "raw", 0.0)):
        checkpoint = load_checkpoint(path, weights)  # type: ignore[arg-type]
        assert checkpoint.weights == taken
        torch.testing.assert_close(checkpoint.generator.state_dict()["stem.0.bias"], raw + more, rtol=0, atol=0)
    assert load_checkpoint(checkpoint_file).weights == "raw"
    with pytest.raises(UserError, match=r"has no averaged weights: .* take weights=raw"):
        load_checkpoint(checkpoint_file, "averaged")


def test_an_average_that_is_broken_is_no_reason_to_take_the_raw_weights(tmp_path: Path) -> None:
    path = averaged_file(tmp_path)
    content = torch.load(path, weights_only=True)
    tensors = content["averaged"]["generator"]
    tensors["stem.0.bias"].fill_(float("nan"))
    torch.save(content, path)
    assert "'averaged.generator.stem.0.bias' is not finite" in refused(path)
    assert load_checkpoint(path, "raw").weights == "raw"
    for broken in ({"updates": 1}, [1], {"updates": 1, "generator": 3}):
        torch.save({**content, "averaged": broken}, path)
        assert "no tensor 'averaged.generator." in refused(path)


def test_a_network_is_read_without_importing_a_compiler() -> None:
    """torch's compiler takes seconds to import; some operations on the meta device do that."""
    code = (
        "import sys, torch; from pathlib import Path; from src.method.trained import load_trained; "
        "load_trained(Path('weights/photo'), torch.device('cpu')); "
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
