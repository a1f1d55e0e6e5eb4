import pytest

from src.model.config import generator_config
from src.model.light import LightConfig
from src.model.mtun import MTUN, MTUNConfig
from src.system.errors import UserError
from src.system.plain import to_plain


@pytest.mark.parametrize("config", [MTUNConfig(heatmaps=5, skip=False), LightConfig(blocks16=2)])
def test_a_configuration_survives_plain_values(config: MTUNConfig | LightConfig) -> None:
    plain = to_plain(config)
    assert isinstance(plain["heb"], dict)
    assert generator_config(plain) == config


def test_names_choose_the_network() -> None:
    small = MTUNConfig(encoder_widths=(4, 4, 4, 4), decoder_widths=(4, 4, 4, 4))
    assert isinstance(small.build(), MTUN)


@pytest.mark.parametrize(
    "values", [{"name": "esrgan"}, {}, {"name": "light", "depth": 3}, {"name": "mtun", "heb": {"x": 1}}]
)
def test_foreign_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"no generator is called|has no key"):
        generator_config(values)
