"""The smallest network that has every output, trained by nobody: what fuzzing damages."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch._dynamo  # torch imports it late: under the limits of `bounded` it would stay half imported

from src.model.aligner import AlignerConfig
from src.model.checkpoint import Checkpoint, load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from tests.helpers.tiny_files import checkpoint_content

SMALL = LightConfig(
    lr_side=32, width=8, width64=8, stem=1, blocks16=1, blocks8=0, blocks4=0, blocks32=1, positions=0, attention=False,
    localisation="aligner", aligner=AlignerConfig(width=4, hidden=8),
    heb=HEBConfig(enabled=True, resolution=32, stacks=1, width=8, depth=1),
)  # fmt: skip


@cache
def small_checkpoint() -> Checkpoint:
    """For faces of 12 to 40 pixels."""
    content = checkpoint_content(SMALL)
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    random = torch.Generator().manual_seed(1)
    for name, tensor in content["state_dict"].items():
        if name.endswith(("weight", "bias")):
            tensor += 0.02 * torch.randn(tensor.shape, generator=random)
    with TemporaryDirectory() as folder:
        path = Path(folder, "small.ckpt")
        torch.save(content, path)
        return load_checkpoint(path)
