"""The configuration of a training run, the schema of `conf/train.yaml`."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Discriminator
from torch import nn

from src.callbacks.config import CallbacksConfig
from src.data.config import DataConfig, as_list
from src.image.sides import LR_SIDE
from src.logger.config import LoggerConfig
from src.loss.config import LossConfig
from src.method.dictionary import DictionaryConfig
from src.model.config import AnyDiscriminatorConfig, GeneratorConfig, lr_side_of
from src.model.light import LightConfig
from src.model.stage import WITHOUT_ALIGNER, Stage, aligner_first
from src.model.stn0 import STN0Config
from src.optimizer import AdamConfig, RMSpropConfig
from src.trainer import TrainerConfig
from src.training.guard import GuardConfig


@dataclass(frozen=True)
class ModelConfig:
    """The two networks."""

    generator: Annotated[GeneratorConfig, Discriminator("name")]
    discriminator: Annotated[AnyDiscriminatorConfig, Discriminator("name")] | None
    """null: none, for a generator that never learns from one."""


@dataclass(frozen=True)
class EmaConfig:
    """The exponential moving average of the generator's weights."""

    enabled: bool = True
    """Average, validate the average as `val_ema/...` and keep it in the checkpoints."""
    decay: float = 0.999
    """Decay of the average, at least 0 and below 1; after n updates (1 + n) / (10 + n) if that is less."""

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, not {self.decay}")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a run depends on."""

    name: str
    """Experiment name, as in its experiment file."""
    seed: int
    run_dir: str
    """The run folder; a run that is already there is resumed."""
    resume: str | None
    """Checkpoint or run folder that a new run folder starts from; null: start from scratch."""
    data: DataConfig
    model: ModelConfig
    loss: LossConfig
    optimizer: Annotated[RMSpropConfig | AdamConfig, Discriminator("name")]
    trainer: TrainerConfig
    guard: GuardConfig
    ema: EmaConfig
    logger: Annotated[LoggerConfig, Discriminator("name")]
    callbacks: CallbacksConfig
    init: str | None = None
    """Checkpoint or release whose generator's weights a new run starts with, to fine-tune them; null: random ones."""
    init_fresh: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()
    """Parts of the generator, by the names of its modules, that do not take the weights of `init`, and start afresh."""
    method: DictionaryConfig | None = None
    """Make the dictionary of this method in place of training a network; null: train."""

    @property
    def monitor(self) -> str:
        """The metric that `callbacks.monitor` names, with auto resolved."""
        if self.callbacks.monitor == "auto":
            return "val_ema/psnr_rgb" if self.ema.enabled else "val/psnr_rgb"
        return self.callbacks.monitor

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the run, at least one.

        The aligner's, then all of it; all but the aligner, where no loss teaches it; or those of the generator.
        """
        if self.model.generator.aligns_alone and self.loss.alignment == 0:
            return WITHOUT_ALIGNER
        first = self.loss.alignment_first if self.loss.alignment > 0 else 0.0
        return aligner_first(first) if first > 0 else self.model.generator.stages

    def build_discriminator(self) -> nn.Module | None:
        """D, or None without the adversarial term."""
        if self.loss.adversarial.weight == 0 or self.model.discriminator is None:
            return None
        return self.model.discriminator.build()

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 or more and below 2^32, not {self.seed}")
        if self.method is not None:
            if not self.data.misalignment.upright:
                raise ValueError(f"{self.method.name} is a dictionary of upright faces: add data=aligned")
            if self.resume is not None:
                raise ValueError(f"resume={self.resume}: {self.method.name} has no training to resume; leave it out")
        if self.init is not None and (self.resume is not None or self.method is not None):
            raise ValueError(
                f"init={self.init} gives a new training its first weights: leave out resume= and method=, or init="
            )
        fresh = ",".join(self.init_fresh)
        of_stn = [part.partition(".")[0] == "stn" for part in self.init_fresh]
        if self.init_fresh and self.init is None:
            raise ValueError(f"init_fresh=[{fresh}] is for a run with init=: leave it out, or give init=")
        generator = self.model.generator
        if self.method is not None and self.data.lr_side != LR_SIDE:
            raise ValueError(f"{self.method.name} is a dictionary of 16x16 faces: set data.lr_side={LR_SIDE}")
        if self.method is None and lr_side_of(generator) != self.data.lr_side:
            raise ValueError(
                f"{generator.title} takes LR faces of {lr_side_of(generator)} pixels, and data.lr_side is "
                f"{self.data.lr_side}: only model=light takes 32, and its lr_side follows data.lr_side"
            )
        if generator.heatmaps not in (0, self.data.heatmaps.maps):
            raise ValueError(
                f"model.generator.heatmaps is {generator.heatmaps} but data.heatmaps.maps is "
                f"{self.data.heatmaps.maps}: set only data.heatmaps.maps; model.generator.heatmaps follows it"
            )
        if isinstance(generator, LightConfig) and generator.back_projection and self.data.degradation == "camera":
            raise ValueError(
                "model.generator.back_projection=true brings noise and JPEG back: it needs data.degradation=bicubic"
            )
        if self.callbacks.monitor.startswith("val_ema/") and not self.ema.enabled:
            raise ValueError(f"callbacks.monitor={self.callbacks.monitor} needs ema.enabled=true")
        if self.loss.coordinates > 0 and generator.heatmap_side is None:
            raise ValueError(
                f"loss.coordinates={self.loss.coordinates:g} needs heatmaps, and this {generator.title} has none: "
                "set loss.coordinates=0"
            )
        if self.loss.alignment > 0 and not generator.aligns:
            raise ValueError(
                f"loss.alignment={self.loss.alignment:g} needs an STN, and this {generator.title} has none: "
                "set loss.alignment=0"
            )
        if generator.aligns_alone and self.loss.alignment == 0:
            if isinstance(generator, STN0Config):
                raise ValueError(f"{generator.title} learns from the alignment loss alone: set loss.alignment above 0")
            if self.init is None and self.resume is None:
                raise ValueError(
                    f"the aligner of {generator.title} learns from the alignment loss alone: set loss.alignment above "
                    "0, or give a trained aligner with init= (also when its run resumes), which then stays as it is"
                )
            if any(of_stn):
                raise ValueError(
                    f"init_fresh=[{fresh}]: an aligner that starts afresh learns from the alignment loss alone: set "
                    "loss.alignment above 0"
                )
        if self.loss.alignment_first and self.loss.alignment and not generator.aligns_alone:
            raise ValueError(
                "loss.alignment_first needs model.generator.localisation=aligner: set loss.alignment_first=0"
            )
        if self.loss.alignment_first == 1 and self.loss.alignment and not all(of_stn):
            raise ValueError(
                f"init_fresh=[{fresh}] with loss.alignment_first=1: the aligner alone would learn, and what else "
                "starts afresh would stay random; set loss.alignment_first below 1"
            )
        trained = self.init is not None or self.resume is not None
        if self.loss.alignment_first == 1 and not trained and not isinstance(generator, STN0Config):
            raise ValueError(
                f"loss.alignment_first must be a share of the run below 1: {generator.title} is more than an aligner; "
                "only with init= its aligner may learn alone to the end"
            )
        if self.loss.adversarial.weight > 0 and self.model.discriminator is None:
            raise ValueError(
                f"loss.adversarial.weight={self.loss.adversarial.weight:g} needs a discriminator, and this model has "
                "none: set loss.adversarial.weight=0"
            )
