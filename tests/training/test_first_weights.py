"""A run that fine-tunes a trained generator."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from src.model.checkpoint import load_checkpoint
from src.model.light import LightConfig
from src.model.release import write_release
from src.model.stn0 import STN0Config
from src.system.errors import UserError
from src.training.first_weights import load_weights
from src.training.module import FaceSR
from src.training.run import train
from tests.helpers.tiny_files import checkpoint_content
from tests.helpers.tiny_run import tiny_run

STILL = ["optimizer.lr=0", "optimizer.discriminator_lr=0"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    return train(tiny_run(folder, "trainer.max_epochs=1", f"run_dir={folder}/run"))


@pytest.mark.parametrize("kind", ["checkpoint", "release"])
def test_a_run_starts_with_the_averaged_weights(trained: Path, tmp_path: Path, kind: str) -> None:
    averaged = load_checkpoint(trained)
    assert averaged.weights == "averaged"
    init = trained
    if kind == "release":
        init = tmp_path / "release"
        write_release(averaged, init, "card")
    run = train(tiny_run(tmp_path, "trainer.max_epochs=1", f"init={init}", *STILL, f"run_dir={tmp_path}/run"))
    after = load_checkpoint(run, "raw")
    assert after.iterations == 3, "a run of its own"
    for name, parameter in averaged.generator.named_parameters():
        assert torch.equal(after.generator.get_parameter(name), parameter), name


def test_a_run_that_resumes_keeps_what_it_has_learnt(trained: Path, tmp_path: Path) -> None:
    words = [f"init={trained}", f"run_dir={tmp_path}/run"]
    first = load_checkpoint(train(tiny_run(tmp_path, "trainer.max_epochs=1", *words)), "raw")
    again = load_checkpoint(train(tiny_run(tmp_path, "trainer.max_epochs=1", *words)), "raw")
    assert again.iterations == first.iterations
    for name, parameter in first.generator.named_parameters():
        assert torch.equal(again.generator.get_parameter(name), parameter), name


def test_another_network_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is another network: model.generator.width differs, there it is 8;"):
        train(tiny_run(tmp_path, f"init={trained}", "model.generator.width=16", f"run_dir={tmp_path}/run"))
    with pytest.raises(UserError, match="does not exist"):
        train(tiny_run(tmp_path, f"init={tmp_path}/none.ckpt", f"run_dir={tmp_path}/run"))


def test_settings_that_fit_the_same_weights_may_change(trained: Path, tmp_path: Path) -> None:
    changed = ["heb.gradient=0.1", "aligner.passes=2", "aligner.dead_band=1.5", "mirror=true", "back_projection=true"]
    changed = [f"model.generator.{setting}" for setting in changed]
    words = [f"init={trained}", *changed, *STILL, f"run_dir={tmp_path}/run"]
    after = load_checkpoint(train(tiny_run(tmp_path, "trainer.max_epochs=1", *words)), "raw")
    assert isinstance(after.config, LightConfig)
    assert (after.config.heb.gradient, after.config.aligner.passes, after.config.mirror) == (0.1, 2, True)
    assert after.config.aligner.dead_band == 1.5
    for name, parameter in load_checkpoint(trained).generator.named_parameters():
        assert torch.equal(after.generator.get_parameter(name), parameter), name


def test_named_parts_start_afresh_and_may_be_of_another_kind(trained: Path, tmp_path: Path) -> None:
    """The rest has the trained weights, also when the run resumes."""
    changed = ["guidance=modulate", "leak=0.2", "localisation=aligner"]
    words = [f"init={trained}", "init_fresh=[fuse,tail.0]", *(f"model.generator.{key}" for key in changed), *STILL]
    words += [f"run_dir={tmp_path}/run"]
    for epochs in (1, 2):
        after = load_checkpoint(train(tiny_run(tmp_path, f"trainer.max_epochs={epochs}", *words)), "raw")
        assert isinstance(after.config, LightConfig)
        assert (after.config.guidance, after.config.leak) == ("modulate", 0.2)
        before = dict(load_checkpoint(trained).generator.named_parameters())
        now = dict(after.generator.named_parameters())
        same = {name for name in before if name in now and torch.equal(now[name], before[name])}
        assert {name for name in before if not name.startswith(("fuse.", "tail.0."))} <= same
        drawn = {name for name, value in now.items() if name.startswith("tail.0.") and value.ndim == 4}
        assert drawn
        assert not drawn & same


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["init_fresh=fuse", "model.generator.width=16"],
            r"another network: weights do not fit in .*stem.*; name these",
        ),
        (["init_fresh=head"], r"=head is no part of this generator, which has stem, upsampler, stn, trunk, .*, tail$"),
        (["init_fresh=fus"], "init_fresh=fus is no part"),
        (["init_fresh=tail", "model.generator.guidance=modulate"], r"do not fit in fuse, such as fuse\.\w+"),
        (
            ["init_fresh=tail", "model.generator.heb.enabled=false", "loss.structure.weight=0"],
            r"do not fit in fuse, heb, ",
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(trained: Path, tmp_path: Path, words: list[str], error: str) -> None:
    with pytest.raises(UserError, match=error):
        train(tiny_run(tmp_path, f"init={trained}", *words, f"run_dir={tmp_path}/run"))


def test_parts_start_afresh_beside_trained_ones_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"init_fresh=\[fuse,heb\] is for a run with init="):
        tiny_run(tmp_path, "init_fresh=[fuse,heb]")


def test_no_part_that_starts_afresh_stays_random(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"init_fresh=\[stn.head\]: an aligner that starts afresh learns from the "):
        tiny_run(tmp_path, "init=x", "init_fresh=[stn.head]", "loss.alignment=0")
    with pytest.raises(UserError, match=r"init_fresh=\[stn,fuse\] with loss.alignment_first=1: the aligner alone"):
        tiny_run(tmp_path, "init=x", "init_fresh=[stn,fuse]", "loss.alignment_first=1")
    assert tiny_run(tmp_path, "init=x", "init_fresh=stn", "loss.alignment_first=1").init_fresh == ("stn",)


def test_a_part_may_be_left_out_and_the_run_resumed_elsewhere(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bare = ["model.generator.heb.enabled=false", "loss.structure.weight=0"]
    words = [f"init={trained}", "init_fresh=[heb,fuse]", "trainer.max_epochs=1", f"run_dir={tmp_path}/run"]
    first = load_checkpoint(train(tiny_run(tmp_path, *bare, *words, *STILL)), "raw").generator
    assert "heb" not in dict(first.named_children())
    before = load_checkpoint(trained).generator
    assert all(torch.equal(value, before.get_parameter(name)) for name, value in first.named_parameters())
    assert f"settings differ from {trained}: heb.enabled" in caplog.text
    again = [f"resume={tmp_path}/run", "trainer.max_epochs=2", f"run_dir={tmp_path}/other"]
    assert load_checkpoint(train(tiny_run(tmp_path, *bare, *again)), "raw").iterations == 6


def test_an_aligner_by_itself_may_change_the_same_settings(tmp_path: Path) -> None:
    torch.save(checkpoint_content(STN0Config(width=8, hidden=8)), tmp_path / "stn0.ckpt")
    config = STN0Config(width=8, hidden=8, passes=2, dead_band=1.5)
    load_weights(config.build(), config, str(tmp_path / "stn0.ckpt"))
    with pytest.raises(UserError, match=r"model\.generator\.hidden differs"):
        load_weights(config.build(), replace(config, hidden=16), str(tmp_path / "stn0.ckpt"))


def test_without_the_alignment_loss_a_trained_aligner_stays(trained: Path, tmp_path: Path) -> None:
    """Weights and running statistics of the aligner stay, the rest learns: at first and when the run resumes."""
    words = [f"init={trained}", "loss.alignment=0", f"run_dir={tmp_path}/run", "data.misalignment.fill=border"]
    for epochs, weights in ((2, "raw"), (3, "averaged")):
        path = train(tiny_run(tmp_path, *words, f"trainer.max_epochs={epochs}"))
        after = load_checkpoint(path, weights).generator  # type: ignore[arg-type]
        before = load_checkpoint(trained).generator.state_dict()
        moved = {name for name, value in after.state_dict().items() if not torch.equal(value, before[name])}
        assert not [name for name in moved if name.startswith("stn.")]
        assert {name for name, _ in after.named_parameters() if not name.startswith("stn.")} <= moved


def test_such_an_aligner_works_as_it_does_in_use(trained: Path, tmp_path: Path) -> None:
    """The rest learns from faces that lie where the aligner in eval mode puts them: its dead band leaves all alone."""
    words = [f"init={trained}", "loss.alignment=0", "model.generator.aligner.dead_band=60"]
    module = FaceSR(tiny_run(tmp_path, *words))
    module.generator.stn.head.bias.data[0] = 0.3  # radians: outside of eval mode it turns every face
    module.train()
    module.config.stages[0].prepare(module.generator)
    output = module(torch.rand(4, 3, 16, 16) * 2 - 1)
    assert torch.equal(output.matrix, torch.eye(2, 3).expand(4, 2, 3))
    assert module.generator.trunk.training


def test_an_aligner_may_learn_alone_to_the_end(trained: Path, tmp_path: Path) -> None:
    """And its run resumes, in its own folder and in another one."""
    words = [f"init={trained}", "loss.alignment_first=1", "trainer.max_epochs=1", f"run_dir={tmp_path}/run"]
    path = train(tiny_run(tmp_path, *words))
    before, after = load_checkpoint(trained).generator.state_dict(), load_checkpoint(path).generator.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert "stn.head.weight" in moved
    assert all(name.startswith("stn.") for name in moved)
    again = ["loss.alignment_first=1", "trainer.max_epochs=2", f"resume={tmp_path}/run", f"run_dir={tmp_path}/other"]
    assert load_checkpoint(train(tiny_run(tmp_path, *again)), "raw").iterations == 6


def test_it_goes_with_no_other_start(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave out resume= and method=, or init="):
        tiny_run(tmp_path, f"init={trained}", f"resume={trained}")
