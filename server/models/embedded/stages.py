"""The stages of the recipe as functions of their folders and budgets; `train` is their command line.

A work folder holds, as the stages finish: `text_encoder/`, `tokenizer/`, `vae/` and `vae.pt`, `vocoder.pt`, `unet.pt`, for
the waveform model `waveform-training/` with `codec.pt`, `vae/`, `text/` and `dit.pt`, the curves as `<stage>.jsonl`, and an
empty `<stage>.done` for each stage of a `whole` run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .augment import Mixing
from .corpus import Corpus, Plan, build, load
from .loop import Settings, compact
from .vocabulary import NAMES

TRAINED = ("vae", "vocoder", "unet", "dit")
WAVEFORM = "waveform-training"  # in the work folder
SIGMA_MIN = 0.05  # last noise of the waveform model's schedule: quiet lines are less than Stable Audio's 0.3 of a deviation


@dataclass(frozen=True)
class Lesson:
    """How one stage is taught by default: clips a step, highest learning rate, its share of the minutes of a whole run."""

    batch: int
    learning_rate: float
    share: float


@dataclass(frozen=True)
class Size:
    """What is trained: channels of the networks, the lessons, what a training clip is a mixture of, pools.

    dit: layers and width. frames: latent frames of most training pieces of the unet stage; a clip has 64. measured: clips
    that the statistics, the codec and the linear start of the autoencoder are taken from; linear_steps: of that start.
    """

    unet: tuple[int, ...]
    vocoder: int
    dit: tuple[int, int]
    lessons: dict[str, Lesson]
    mixing: Mixing
    ema_decay: float
    pool: int
    uses: int
    frames: int
    measured: int = 512
    linear_steps: int = 700


SIZES = {
    "small": Size((64, 128, 192), 512, (6, 256),
                  {"vae": Lesson(3, 1e-4, 0.07), "vocoder": Lesson(8, 1e-3, 0.28), "unet": Lesson(16, 8e-4, 0.3),
                   "dit": Lesson(32, 8e-4, 0.35)},
                  Mixing(0.15, 0.02), 0.998, 2048, 10, 32),
    "full": Size((96, 192, 256), 1024, (7, 256),
                 {"vae": Lesson(24, 2e-4, 0.1), "vocoder": Lesson(48, 3e-4, 0.25), "unet": Lesson(512, 8e-4, 0.3),
                  "dit": Lesson(1024, 1e-3, 0.35)},
                 Mixing(), 0.999, 16384, 4, 64),
}


@dataclass(frozen=True)
class Sources:
    """What a corpus is made of: folders of recordings with credits, soundfonts, and how many clips of each kind.

    phrases: per program of a soundfont; plan: clips per class and split.
    """

    recordings: tuple[Path, ...] = ()
    soundfonts: tuple[Path, ...] = ()
    phrases: int = 12
    plan: Plan = Plan()


@dataclass(frozen=True)
class Budget:
    """How long a stage runs, from where it stands, and where; `anneal` belongs to its last run."""

    minutes: float = 1e9
    steps: int = 1 << 60
    device: str = "auto"
    anneal: bool = False
    batch: int | None = None
    learning_rate: float | None = None

    def settings(self, lesson: Lesson, size: Size, seed: int) -> Settings:
        """The loop's settings of a stage."""
        return Settings(self.minutes, self.steps, self.device, seed, self.batch or lesson.batch,
                        self.learning_rate or lesson.learning_rate, self.anneal, size.ema_decay)


def pack(sources: Sources, out: Path, seed: int) -> int:
    """Gather recordings and instrument phrases into a pack folder; how many takes."""
    from . import recordings, soundfont

    takes, entries = [], []
    parts = [(recordings.collect, (folder,)) for folder in sources.recordings]
    parts += [(soundfont.render, (font, sources.phrases, seed)) for font in sources.soundfonts]
    for collect, arguments in parts:
        more, described = collect(*arguments)
        takes, entries = takes + more, entries + described
    recordings.pack(takes, entries, out)
    return len(entries)


def credits(packed: Path, out: Path) -> int:
    """Write who made what is in a pack; how many lines."""
    from .credits import credits_of, write_credits
    from .recordings import unpack

    lines = credits_of(unpack(packed)[1], NAMES)
    write_credits(lines, out)
    return len(lines)


def train(stage: str, corpus: Corpus, work: Path, size: Size, budget: Budget, seed: int) -> None:
    """One of `TRAINED`; unet needs the finished text tower and autoencoder, dit what `codec` and `t5` make."""
    from .train_unet import PoolPlan, UnetPlan, train_unet
    from .train_vae import train_vae
    from .train_vocoder import train_vocoder
    from .waveform.train_dit import DitPlan, train_dit

    settings = budget.settings(size.lessons[stage], size, seed)
    if stage == "vae":
        train_vae(corpus, work, settings, size.measured, size.linear_steps)
    elif stage == "vocoder":
        train_vocoder(corpus, work, settings, size.vocoder, size.measured)
    elif stage == "dit":
        layers, width = size.dit
        plan = DitPlan(PoolPlan(size.pool, size.uses, 32), layers, width)
        train_dit(corpus, work / WAVEFORM, settings, plan, size.mixing)
    else:
        from .text_tower import TextTower

        plan = UnetPlan(PoolPlan(size.pool, size.uses), size.frames)
        train_unet(corpus, work, settings, plan, size.unet, size.mixing, TextTower.load(work, settings.device))


def text(corpus: Corpus, work: Path, minilm: Path, seed: int) -> dict[str, float]:
    """The text tower, from the folder of a MiniLM; how well it reads."""
    from .train_text import train_text

    return train_text(corpus, work, Settings(seed=seed), minilm)


def codec(corpus: Corpus, work: Path, size: Size, device: str, seed: int) -> None:
    """The waveform model's codec, measured and written into its autoencoder."""
    from .loop import pick_device
    from .waveform.train_codec import train_codec

    train_codec(corpus, work / WAVEFORM, size.measured, seed, pick_device(device))


def t5(corpus: Corpus, work: Path, seed: int) -> dict[str, float]:
    """The waveform model's text encoder, taught by the finished text tower; how well it reads."""
    from .text_tower import TextTower
    from .waveform.train_t5 import train_t5

    return train_t5(corpus, TextTower.load(work), work / WAVEFORM / "text", Settings(seed=seed))


def export_waveform(work: Path, out: Path) -> float:
    """Write the waveform model's folder that ships; its megabytes."""
    from .networks import folder_size
    from .waveform.export import export as write

    write(work / WAVEFORM, out, SIGMA_MIN)
    return folder_size(out) / 1e6


def export(work: Path, out: Path) -> float:
    """Write the folder that ships; its megabytes."""
    from .export import export as write
    from .networks import folder_size

    write(work, out)
    return folder_size(out) / 1e6


def bank(corpus: Corpus, work: Path, weights: Path, out: Path, seed: int) -> None:
    """The folder of the model `mosaic`, which borrows from an exported one."""
    from .make_bank import make_bank
    from .text_tower import TextTower

    make_bank(corpus, work / "vae", TextTower.load(work), weights, out, seed)


def smaller(work: Path, out: Path) -> None:
    """Checkpoints that resume, without the state of the optimisers."""
    for name in TRAINED:
        inner = WAVEFORM if name == "dit" else "."
        compact(work / inner, name, out / inner)


def whole(sources: Sources, minilm: Path, work: Path, out: Path, size: Size, budget: Budget, seed: int, workers: int,
          say: Callable[[str], None] = print) -> None:
    """Everything, from sounds to the folder that ships; what an earlier run finished is not done again.

    The minutes are shared out among the trained stages, and each ends annealed.
    """
    packed, corpus_folder = work / "pack", work / "corpus"

    def once(name: str, do: Callable[[], object]) -> None:
        done = work / f"{name}.done"
        if not done.exists():
            say(f"{name} ...")
            do()
            done.touch()

    work.mkdir(parents=True, exist_ok=True)
    once("pack", lambda: pack(sources, packed, seed))
    once("corpus", lambda: build(packed, corpus_folder, seed, sources.plan, workers))
    corpus = load(corpus_folder)
    once("text", lambda: text(corpus, work, minilm, seed))
    once("t5", lambda: t5(corpus, work, seed))
    once("codec", lambda: codec(corpus, work, size, budget.device, seed))
    for stage in TRAINED:
        part = replace(budget, minutes=budget.minutes * size.lessons[stage].share, anneal=True)
        once(stage, lambda stage=stage, part=part: train(stage, corpus, work, size, part, seed))
    say(f"{out}: {export(work, out):.1f} MB")
    beside = out.parent / "waveform"
    say(f"{beside}: {export_waveform(work, beside):.1f} MB")
    once("bank", lambda: bank(corpus, work, out, out.parent / "mosaic", seed))
    credits(packed, out.parent / "credits.csv")
