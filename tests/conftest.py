"""A tiny checkpoint and a tiny store, made once for every test that needs one."""

from pathlib import Path

import pytest
import torch

from tests.helpers.tiny_files import checkpoint_content, write_store


@pytest.fixture(scope="session")
def checkpoint_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "last.ckpt"
    torch.save(checkpoint_content(), path)
    return path


@pytest.fixture(scope="session")
def face_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("stores") / "five", 5)


@pytest.fixture(scope="session")
def bare_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces without surroundings."""
    return write_store(tmp_path_factory.mktemp("bare") / "three", 3, margin=0)


@pytest.fixture(scope="session")
def busy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint none of whose layers is zero, as those are that a training begins with."""
    content = checkpoint_content()
    random = torch.Generator().manual_seed(1)
    for name, tensor in content["state_dict"].items():
        if name.endswith(("weight", "bias")):
            tensor += 0.02 * torch.randn(tensor.shape, generator=random)
    path = tmp_path_factory.mktemp("busy") / "last.ckpt"
    torch.save(content, path)
    return path


@pytest.fixture(scope="session")
def onnx_files(busy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The tiny checkpoint as ONNX models, float (False) and uint8 (True); seconds each."""
    from src.model.checkpoint import load_checkpoint
    from src.model.onnx_file import onnx_bytes

    folder = tmp_path_factory.mktemp("onnx")
    files = {False: folder / "float.onnx", True: folder / "uint8.onnx"}
    for uint8, path in files.items():
        path.write_bytes(onnx_bytes(load_checkpoint(busy_file), uint8))
    return files
