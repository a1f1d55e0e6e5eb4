import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from src import evaluate, prepare, train
from src.config.compose import compose
from src.config.overrides import options, read_overrides
from src.evaluation.config import EvaluateConfig
from src.preparation.config import PrepareConfig
from src.source.config import CelebaSource
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.helpers.drawn_faces import face_folder
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import TINY

ROOT = Path(__file__).parents[2]
STORES = ["data.train=[a]", "data.val=[a]"]
NAMES = (
    "José", "照片", "My Faces (2019)", "lr=0.001", "R&D", "it's", 'the "best"', "a,b", "a, b", "#1", "a#1", "a$b",
    "$HOME", "{a}", "{a:1}", "{}", "[2019]", "[a", "a)", "50%", "a\\b", "a\\", "C:\\data\\x", "a:b", " a", "a ", "a\tb",
    "a\nb", "~a", "a~", "1e3", "007", "2019", "true", "nan", "-1", "a*b?", "a;b!", "a|b<c>d", "@x", "a(1)", "tag(1)",
    "null (1)", "caf\udce9", "'a' and 'b", "`ls`", "^", "+x", "=",
)  # fmt: skip


def values(words: list[str]) -> list[str]:
    """What Hydra and OmegaConf make of the values."""
    parsed = OverridesParser.create().parse_overrides(words)
    return [OmegaConf.create({"value": one.value()}).value for one in parsed]


@pytest.mark.parametrize("name", NAMES)
def test_a_text_means_what_was_typed(name: str) -> None:
    words = [f"run_dir={name}", f"resume=x/{name}", f"++name={name}", f"hydra.sweep.dir={name}/{name}"]
    assert values(read_overrides(words, TrainConfig)) == [name, f"x/{name}", name, f"{name}/{name}"]


@pytest.mark.parametrize("name", ["José's Fotos (2019), #1 & lr=0.001", "a\\b\\", "007"])
def test_a_path_goes_through_every_command(name: str) -> None:
    train = compose("train", TrainConfig, [*STORES, f"run_dir={name}", f"resume=x/{name}", f"++name={name}"])
    assert (train.run_dir, train.resume, train.name) == (name, f"x/{name}", name)
    prepare = compose("prepare", PrepareConfig, ["source=folder", f"source.root={name}", f"out={name}/{name}"])
    assert (prepare.source.root, prepare.out) == (name, f"{name}/{name}")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_once_is_read_again_unchanged(name: str) -> None:
    """As it is by the processes of a run that starts itself again, and by the jobs of a sweep."""
    words = [f"run_dir={name}", f"data.train=[{name},b]", f"data.val={name}", f"hydra.sweep.dir={name}", "seed=2"]
    once = read_overrides(words, TrainConfig)
    assert read_overrides(once, TrainConfig) == once
    assert read_overrides(["-m", *once], TrainConfig) == ["-m", *once]


@pytest.mark.parametrize(
    ("typed", "stores"),
    [
        ("[a b,José]", ("a b", "José")),
        ("[a b, My Faces (2019) ,it's]", ("a b", "My Faces (2019)", "it's")),
        ("[Fotos (Mai, Juni),x]", ("Fotos (Mai, Juni)", "x")),
        ("[a [1,b]", ("a [1", "b")),
        ("['a,b',\"c]\",d=1]", ("a,b", "c]", "d=1")),
        ("['it\\'s',b]", ("it's", "b")),
        ("[2019,007,1e3,true]", ("2019", "007", "1e3", "true")),
        ("[[2019],{b}]", ("[2019]", "{b}")),
        ("[a&b,${name}/ü,$x]", ("a&b", "mine/ü", "$x")),
        ("R&D (2)", ("R&D (2)",)),
        ("'a,b'", ("a,b",)),
        ("[]", ()),
    ],
)
def test_each_item_of_a_list_means_what_was_typed(typed: str, stores: tuple[str, ...]) -> None:
    assert compose("train", TrainConfig, [f"data.train={typed}", "data.val=[a]", "name=mine"]).data.train == stores


def test_quotes_by_hand_belong_to_the_command_line() -> None:
    for typed in ("'José'", '"José"', "'it\\'s'", "'it's'", "a\\,b", "a\\=b", "'1e3'", "''"):
        meant = {"a\\,b": "a,b", "a\\=b": "a=b"}.get(typed, typed[1:-1].replace("\\'", "'"))
        assert values(read_overrides([f"resume={typed}"], TrainConfig)) == [meant]


def test_the_home_folder_is_found_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/José")
    config = compose("train", TrainConfig, ["data.train=[~/a b,b/~/c]", "data.val=~", "run_dir=~/x", "name='~/y'"])
    assert (config.data.train, config.data.val) == (("/home/José/a b", "b/~/c"), ("/home/José",))
    assert (config.run_dir, config.name) == ("/home/José/x", "~/y")


def test_hydras_own_words_keep_their_meaning() -> None:
    config = compose("train", TrainConfig, [*STORES, "resume=null", "run_dir=out/${name}/ü (${seed})", "name=a=b"])
    assert (config.resume, config.run_dir) == (None, "out/a=b/ü (1)")
    assert compose("train", TrainConfig, [*STORES, "run_dir=\\${name}"]).run_dir == "${name}"
    evaluate = compose("evaluate", EvaluateConfig, ["data.test=[a]", "method=[bicubic,my net (2).ckpt]", "out=null"])
    assert (evaluate.method, evaluate.out) == (("bicubic", "my net (2).ckpt"), None)
    for words, people in ((["source.identities=5"], 5), (["source.identities=[1,2]"], (1, 2)),
                          (["source.identities=1-5"], "1-5"), (["source.identities=Liste ü"], "Liste ü")):  # fmt: skip
        source = compose("prepare", PrepareConfig, ["source=celeba", "source.root=x", *words]).source
        assert isinstance(source, CelebaSource)
        assert source.identities == people


@pytest.mark.parametrize(
    "word", ["seed=3", "data.mirror=false", "data={batch_size: 4}", "trainer.max_epochs=1e3", "-m", "--cfg", "job"]
)
def test_words_of_other_keys_stay(word: str) -> None:
    assert read_overrides([word], TrainConfig) == [word]


def test_a_comma_separates_the_jobs_of_a_sweep() -> None:
    words = ["run_dir=José,a", "data.train=[José],[b]", "seed=1,2", "resume=choice(x (1),b)", "name=Fotos (Mai, Juni)"]
    quoted = ["run_dir='José',a", "data.train=['José'],[b]", "seed=1,2", "resume=choice('x (1)',b)"]
    assert read_overrides(["-m", *words], TrainConfig) == ["-m", *quoted, "name='Fotos (Mai, Juni)'"]
    assert read_overrides(["sweep=seeds", "resume=a,b"], TrainConfig)[1] == "resume=a,b"
    assert read_overrides(["sweep=null", "resume=a,b"], TrainConfig)[1] == "resume='a,b'"
    assert read_overrides(["resume=choice(a,b)"], TrainConfig) == ["resume=choice(a,b)"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["+data.tarin=José"], "unknown key 'data.tarin': did you mean 'data.train'"),
        (["data.tarin=José"], "unknown key 'data.tarin': did you mean 'data.train'"),
        (["José=1"], "unknown key 'José'"),
        (["seed=José"], "'seed=José' is not an override that Hydra can read"),
        (["data.train=[a,,b]"], "is not an override that Hydra can read: write key=value, lists as"),
        (["data.train=José,b", "data.val=[a]"], "Ambiguous value for argument .* use key=\\[value1,value2\\]"),
        (["experiment=José", *STORES], "there is no experiment/José; there are celeba16x"),
    ],
)
def test_real_mistakes_stay_errors(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        compose("train", TrainConfig, words)
    assert "\n" not in str(error.value)


def test_globs_see_the_folders_of_a_group() -> None:
    ablations = [name for name in options("experiment") if name.startswith("ablation/")]

    def read(*words: str) -> list[str]:
        return read_overrides([*words], TrainConfig)

    assert read("seed=1", "experiment=glob(ablation/*)") == ["seed=1", f"experiment={','.join(ablations)}"]
    assert read("experiment=glob(ablation/stacks_*,exclude=*_4)") == ["experiment=ablation/stacks_1,ablation/stacks_2"]
    assert "ablation" not in read("experiment=glob(*)")[0]
    with pytest.raises(UserError, match="no file of conf/experiment fits"):
        read("experiment=glob(abalation/*)")


def test_a_choice_that_reads_as_a_number_is_a_name() -> None:
    assert read_overrides(["debug=nan", "debug=fast", "debug=null"], TrainConfig) == [
        "debug='nan'", "debug=fast", "debug=[]",
    ]  # fmt: skip
    assert compose("train", TrainConfig, [*STORES, "debug=nan"]).trainer.detect_anomaly


def test_stores_runs_and_reports_live_in_such_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared, trained, resumed and measured, each by the command's own words."""
    home = tmp_path / "it's José's & [R] #1 (2019) $x"
    face_folder(home / "raw", ["a.png"])
    val = write_store(home / "a,b", 4, seed=1)
    folder = home / "run, = 1"

    def run(main: Callable[[], None], *words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["command", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        monkeypatch.setenv("MTUN_RUN_STAMP", "stamp")
        monkeypatch.chdir(ROOT)
        main()

    run(prepare.main, "source=folder", f"source.root={home}/raw", f"out={home}/made, = 1", "crop.margin=0")
    assert (home / "made, = 1" / "card.json").is_file()
    for epochs in ("1", "2"):
        words = [f"data.train=['{val}']", f"data.val='{val}'", f"run_dir={folder}", f"trainer.max_epochs={epochs}"]
        run(train.main, *TINY, *words)
    assert "resuming from" in (folder / "train.log").read_text(encoding="utf-8")
    last = folder / "checkpoints" / "last.ckpt"
    run(evaluate.main, f"checkpoint={last}", f"data.test='{val}'", f"out={home}/report", "device=cpu")
    assert (home / "report" / "report.md").is_file()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("callbacks=null", "'callbacks' is missing: leave out the ~ or =null"),
        ("callbacks=[default,null]", "name a file of conf/callbacks"),
        ("callbacks=${", "no viable alternative"),
        ("callbacks=${x}", "Error resolving interpolation"),
        ("~callbacks=1e3", "write ~callbacks alone"),
        ("~callbacks=[default]", "write ~callbacks alone"),
        ("~callbacks=demo", "demo"),
        ("~callbacks=null", "callbacks"),
        ("~callbacks", "'callbacks' is missing: leave out the ~"),
        ("data.workers=[" + "1," * 999 + "1]", r"data\.workers: .{20,60}\(it is .{150,160}\.\.\.\)$"),
    ],
)
def test_what_is_no_choice_of_a_group_is_one_line(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        compose("train", TrainConfig, [*STORES, word])


def test_null_is_no_choice_of_a_group() -> None:
    words = read_overrides(["experiment=null", "debug=null", "sweep=null", "run_dir=a,b"], TrainConfig)
    assert words == ["experiment=[]", "debug=[]", "sweep=[]", "run_dir='a,b'"]
    assert read_overrides(words, TrainConfig) == words
    assert compose("train", TrainConfig, [*STORES, *words]) == compose("train", TrainConfig, [*STORES, words[-1]])
