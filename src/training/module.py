"""The LightningModule: alternating steps of D and U with manual optimisation."""

import math
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from src.config.train import TrainConfig
from src.data.batch import Pairs
from src.errors import UserError
from src.loss.objective import Objective
from src.loss.terms import discriminator_loss
from src.metric.heatmap import angle_error, peak_error
from src.metric.image import image_metrics
from src.model.build import build_discriminator, build_generator, to_plain
from src.model.output import Upscaled
from src.optimizer import base_lr, build_optimizer, lr_factor
from src.training.clock import progress


def gradient_norm(network: torch.nn.Module) -> Tensor:
    """The Euclidean norm of all gradients of a network, a scalar."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return torch.nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())


def require_finite(values: dict[str, Tensor | float]) -> None:
    """UserError naming the values that are NaN or infinite."""
    bad = [name for name, value in values.items() if not math.isfinite(float(value))]
    if bad:
        raise UserError(
            f"training has diverged: {', '.join(bad)} not finite; lower optimizer.lr. Earlier checkpoints are kept"
        )


class FaceSR(LightningModule):
    """Trains U (the generator) and D (the discriminator).

    A batch is two updates: D by LD alone (Eq. 7.3), on the fakes of one forward pass of U; then U by LT (Eq. 7.6)
    through the updated D, with the graph of that same pass.

    Args:
        config: the run's configuration; stored in the checkpoints as plain values.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.config = config
        self.generator = build_generator(config.model.generator)
        adversarial = config.loss.adversarial.weight > 0
        self.discriminator = build_discriminator(config.model.discriminator) if adversarial else None
        # In a list: not a submodule, so neither in the state dict nor in DDP's buckets.
        self._objective = [Objective(config.loss)]
        self._scores: list[dict[str, Tensor]] = []
        self._logging = False
        self._random: dict[str, Any] | None = None
        self._gradient_norms: dict[str, Tensor] = {}

    @property
    def objective(self) -> Objective:
        """LT and its frozen feature network, on this module's device."""
        return self._objective[0]

    def setup(self, stage: str) -> None:
        """Take the frozen network along to the device, before DDP and the optimisers see the parameters."""
        self._objective[0] = self.objective.to(self.device)
        if self.config.trainer.channels_last:
            self.to(memory_format=torch.channels_last)
            self.objective.to(memory_format=torch.channels_last)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """U's optimiser, then D's."""
        optimizers = [build_optimizer(self.config.optimizer, self.generator.parameters())]
        if self.discriminator is not None:
            optimizers.append(build_optimizer(self.config.optimizer, self.discriminator.parameters(), True))
        return optimizers

    def forward(self, lr: Tensor) -> Upscaled:
        """The generator's output, see `Upscaled`."""
        output: Upscaled = self.generator(self._laid_out(lr))
        return output

    def training_step(self, pairs: Pairs, batch_idx: int) -> None:
        """One update of D, one of U."""
        optimizers = self.optimizers()
        generator_optimizer, *rest = optimizers if isinstance(optimizers, list) else [optimizers]
        rates = self._set_learning_rates([generator_optimizer, *rest])
        logs: dict[str, Tensor | float] = dict(
            zip(("optim/lr_generator", "optim/lr_discriminator"), rates, strict=False)
        )
        self._logging = logging = (
            self.trainer.fit_loop.total_batch_idx + 1
        ) % self.config.trainer.log_every_n_steps == 0

        output = self(pairs.lr)
        fake_logits = None
        if self.discriminator is not None:
            discriminator = self.discriminator
            # One pass over reals and fakes: without batch normalisation it equals two.
            logits = discriminator(self._laid_out(torch.cat([pairs.hr, output.image.detach().to(pairs.hr.dtype)])))
            real, fake = logits.chunk(2)
            loss = discriminator_loss(real, fake)
            rest[0].zero_grad()
            self.manual_backward(loss)
            rest[0].step()
            if logging:
                logs |= {
                    "gan/loss_discriminator": loss.detach(),
                    "gan/accuracy_real": (real > 0).float().mean(),
                    "gan/accuracy_fake": (fake < 0).float().mean(),
                }
            discriminator.requires_grad_(False)
            fake_logits = discriminator(output.image)

        total, terms = self.objective(
            output,
            self._laid_out(pairs.hr),
            pairs.heatmaps,
            pairs.kernels,
            pairs.matrix,
            fake_logits,
            self.current_epoch,
        )
        generator_optimizer.zero_grad()
        self.manual_backward(total)
        generator_optimizer.step()
        if self.discriminator is not None:
            self.discriminator.requires_grad_(True)
        if logging:
            logs |= {f"loss/{name}": term.detach() for name, term in terms.items()}
            logs |= {"loss/total": total.detach(), **self._gradient_norms}
            require_finite(logs)
            self.log_dict({name: torch.as_tensor(value) for name, value in logs.items()}, batch_size=len(pairs.lr))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Note the gradients' norm: here a loss scaler has unscaled them."""
        if self._logging:
            first = optimizer.param_groups[0]["params"][0]
            name = "generator" if first is next(self.generator.parameters()) else "discriminator"
            self._gradient_norms[f"optim/grad_norm_{name}"] = gradient_norm(getattr(self, name))

    def on_validation_start(self) -> None:
        """Let all processes validate rank 0's running statistics: manual optimisation keeps DDP from sharing them."""
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, pairs: Pairs, batch_idx: int) -> None:
        """Collect every face's scores."""
        output = self(pairs.lr)
        scores = image_metrics(output.image, pairs.hr)
        if output.matrix is not None:
            scores["angle_error_deg"] = angle_error(output.matrix, pairs.matrix)
        if output.heatmaps:
            maps = self.config.data.heatmaps.maps
            scores["heatmap_peak_px"] = peak_error(output.heatmaps[-1], pairs.landmarks, pairs.visible, maps).nanmean(1)
        self._scores.append(scores)

    def on_validation_epoch_end(self) -> None:
        """Log the means over the faces (of all processes)."""
        for name in self._scores[0] if self._scores else ():
            values = torch.cat([scores[name].float() for scores in self._scores])
            # A face whose components are all hidden has no peak; any other NaN must show.
            known = values[~values.isnan()] if name == "heatmap_peak_px" else values
            totals = torch.stack([known.sum(), torch.tensor(float(len(known)), device=known.device)])
            if self.trainer.world_size > 1:
                gathered: Any = self.all_gather(totals)
                totals = gathered.sum(0)
            self.log(f"val/{name}", totals[0] / totals[1].clamp(min=1), prog_bar=name == "psnr_rgb")
        self._scores.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Plain values only, so that the file loads with `weights_only=True`."""
        checkpoint["hyper_parameters"] = to_plain(self.config)
        checkpoint["iterations"] = self.trainer.fit_loop.total_batch_idx + 1
        checkpoint["random"] = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of D's dropout for the start of the training."""
        self._random = checkpoint.get("random")

    def on_train_start(self) -> None:
        """Go on with the random numbers where the checkpoint left them."""
        if self._random is not None:
            torch.set_rng_state(self._random["cpu"])
            if len(self._random["cuda"]) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all(self._random["cuda"])

    def _laid_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=torch.channels_last) if self.config.trainer.channels_last else images

    def _set_learning_rates(self, optimizers: list[Any]) -> list[float]:
        """Set and give back the learning rates of U and D: under manual optimisation nobody steps a scheduler."""
        config = self.config.optimizer
        loop = self.trainer.fit_loop
        factor = lr_factor(config.schedule, loop.total_batch_idx, self.current_epoch, progress(self.trainer))
        rates = [base_lr(config, index == 1) * factor for index in range(len(optimizers))]
        for optimizer, rate in zip(optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate
        return rates
