import torch
from torch import nn

from src.model.layers import Residual
from src.training.sync_batchnorm import SyncBatchNorm2d, synchronise


def test_only_the_layers_change_and_all_of_it_can_be_undone() -> None:
    network = nn.Sequential(Residual(2, 3), nn.BatchNorm2d(3))
    names, tensors = list(network.state_dict()), [id(tensor) for tensor in (*network.parameters(), *network.buffers())]
    synchronise(network)
    assert [type(module) for module in network.modules() if isinstance(module, nn.BatchNorm2d)] == [SyncBatchNorm2d] * 3
    assert list(network.state_dict()) == names
    # The optimisers and the guard hold these very tensors.
    assert [id(tensor) for tensor in (*network.parameters(), *network.buffers())] == tensors
    synchronise(network, on=False)
    assert not any(isinstance(module, SyncBatchNorm2d) for module in network.modules())


def test_one_process_is_plain_batch_normalisation() -> None:
    plain, synchronised = nn.BatchNorm2d(3), SyncBatchNorm2d(3)
    features = torch.randn(4, 3, 5, 5)
    assert torch.equal(plain(features), synchronised(features))
    assert torch.equal(plain.running_var, synchronised.running_var)
