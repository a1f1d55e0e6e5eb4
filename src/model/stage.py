"""The stages of a run: until when each lasts, what of the generator runs and learns in it, and by which loss."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Literal, cast

from torch import Tensor, nn

from src.model.output import Upscaled

Half = Literal["objective", "aligned_lr", "alignment"]


@dataclass(frozen=True)
class Stage:
    """A stage of a run, from the end of the one before it."""

    until: float = 1.0
    """Share of the run at which it ends, above 0; 1 for the last stage."""
    half: Half = "objective"
    """The step: D by LD, then U by LT (objective); or U alone, by the pixel loss of the upright LR face (aligned_lr) or
    by La of the transform (alignment), while D waits."""
    part: str = ""
    """The module or method of the generator that maps the LR faces to what the step compares; "": the generator."""
    learns: tuple[str, ...] = ()
    """The generator's children that learn; the others keep weights and statistics. (): all learn."""
    rests: tuple[str, ...] = ()
    """Children that do not learn, whatever `learns` says."""

    def output(self, generator: nn.Module, lr: Tensor) -> Upscaled | Tensor:
        """What the step compares, of (B, 3, 16, 16): an `Upscaled`, or the transform (B, 2, 3) for `alignment`."""
        return cast("Upscaled | Tensor", (getattr(generator, self.part) if self.part else generator)(lr))

    def prepare(self, generator: nn.Module) -> None:
        """Let what learns take gradients and be in train mode; the rest takes none and is in eval mode."""
        for name, child in generator.named_children():
            child.train(self._lets_learn(name))
        for name, parameter in generator.named_parameters():
            parameter.requires_grad_(self._lets_learn(name.partition(".")[0]))

    def _lets_learn(self, child: str) -> bool:
        return (not self.learns or child in self.learns) and child not in self.rests


WHOLE: Final = (Stage(),)
"""The stages of a generator that learns as a whole from the start."""
ALIGNER: Final = "stn"
"""The child of a generator that `loss.alignment_first` lets learn alone."""
WITHOUT_ALIGNER: Final = (Stage(rests=(ALIGNER,)),)
"""The stages of a generator whose aligner has learnt already: it stays as it is, and works as it does in use."""


def aligner_first(share: float) -> tuple[Stage, ...]:
    """The stages of a run whose aligner learns alone for a share of it, above 0; 1: for the whole run."""
    alone = Stage(share, "alignment", ALIGNER, (ALIGNER,))
    return (alone,) if share == 1 else (alone, *WHOLE)


def in_turn(shares: Sequence[float], stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Stages one after the other.

    Args:
        shares: each stage's share of the run; they add up to 1; 0 leaves the stage out.
        stages: the stages, whose `until` is set here.
    """
    kept = [(end, stage) for share, end, stage in zip(shares, accumulate(shares), stages, strict=True) if share > 0]
    *earlier, (_, last) = kept
    # The sum of the shares may miss 1 by a rounding error.
    return (*(replace(stage, until=end) for end, stage in earlier), replace(last, until=1.0))
