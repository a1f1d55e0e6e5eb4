import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from src.model.discriminator import DiscriminatorConfig
from src.model.light import LightConfig
from src.model.mtun import MTUNConfig
from src.training.execution import Execution
from tests.model.test_activation_checkpointing import LIGHT_TINY, MTUN_TINY


class Networks(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.generator = LIGHT_TINY.build()
        self.discriminator = DiscriminatorConfig((4, 4, 4, 4), 8).build()


def test_both_networks_are_compiled_and_nothing_is_renamed() -> None:
    module = Networks()
    names = list(module.state_dict())
    execution: Callback = Execution(compiled=True, keep_less=False)
    for stage in ("fit", "validate"):
        execution.setup(Trainer(logger=False, enable_checkpointing=False, accelerator="cpu"), module, stage)
    assert module.generator._compiled_call_impl is not None
    assert module.discriminator._compiled_call_impl is not None
    assert module._compiled_call_impl is None, "hooks and losses stay as they are"
    assert list(module.state_dict()) == names


@pytest.mark.parametrize("config", [LIGHT_TINY, MTUN_TINY])
def test_the_compiled_generator_gives_the_same(config: MTUNConfig | LightConfig) -> None:
    torch.manual_seed(0)
    plain, compiled = config.build(), config.build()
    # The STN's gradient jumps where a sample crosses a pixel's centre, and at the identity all of them are on one.
    torch.nn.init.normal_(plain.stn.head.bias, 0.1, 0.1)
    plain.stn.head.bias.data[1] += 1
    compiled.load_state_dict(plain.state_dict())
    compiled.compile(backend="aot_eager", fullgraph=True)  # traced as for the compiler, which takes minutes
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    expected, output = plain(lr), compiled(lr)
    torch.testing.assert_close(output.image, expected.image)
    torch.testing.assert_close(output.matrix, expected.matrix)
    torch.testing.assert_close(output.heatmaps, expected.heatmaps)
    for network, out in ((plain, expected), (compiled, output)):
        (out.image.square().mean() + out.heatmaps[-1].square().mean()).backward()
        assert network.state_dict().keys() == plain.state_dict().keys()
    for (name, parameter), other in zip(compiled.named_parameters(), plain.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(
                parameter.grad, other.grad, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
            )
