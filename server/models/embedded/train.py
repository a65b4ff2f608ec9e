"""The recipe's command: `python -m server.models.embedded.train STAGE ...`, one stage at a time, each resumable.

    pack     --recordings DIR ... [--soundfont FILE.sf2 ...] --pack DIR   recordings and instrument phrases, with credits
    corpus   --pack DIR --corpus DIR [--synthetic N] [--workers N]   all clips, from the seed
    vae      --corpus DIR --work DIR --minutes M [--anneal]
    vocoder  --corpus DIR --work DIR --minutes M [--anneal]          may run beside vae and unet
    unet     --corpus DIR --work DIR --minutes M [--anneal]          after vae
    compact  --work DIR --out DIR                                    small checkpoints that resume without optimiser
    export   --work DIR --out DIR                                    the folder that ships
    credits  --pack DIR --out FILE.csv                               who made the recordings that were used

`--minutes` and `--steps` count from where the stage stands now; `--anneal` lowers the learning rate to nothing over
this part, so it belongs to the last part of a stage. The same commands run on a CPU and on a GPU (`--device`).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from .augment import Mixing
from .corpus import Plan, build, load
from .loop import Settings, compact
from .vocabulary import NAMES


@dataclass(frozen=True)
class Size:
    """What is trained, and by default how: channels of the networks, (batch, learning rate) of each stage."""

    unet: tuple[int, ...]
    vocoder: int
    stages: dict[str, tuple[int, float]]
    mixing: Mixing
    ema_decay: float


SIZES = {
    "small": Size((32, 64, 96), 128, {"vae": (8, 1e-3), "vocoder": (12, 6e-4), "unet": (16, 1e-3)},
                  Mixing(0.15, 0.0), 0.997),
    "full": Size((40, 80, 112), 192, {"vae": (96, 1e-3), "vocoder": (48, 3e-4), "unet": (512, 8e-4)},
                 Mixing(), 0.999),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("pack", "corpus", "vae", "vocoder", "unet", "compact", "export", "credits"))
    for name in ("pack", "corpus", "work", "out"):
        parser.add_argument(f"--{name}", type=Path)
    for name in ("recordings", "soundfont"):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help="may be given several times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--synthetic", type=int, default=200, help="synthetic training clips per class")
    parser.add_argument("--recorded", type=int, default=150, help="training clips per class from each kind of recording")
    parser.add_argument("--phrases", type=int, default=12, help="instrument phrases per soundfont program")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--steps", type=int, default=1 << 60)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--adversarial-after", type=int, default=1500)
    parser.add_argument("--pool", type=int, default=16384, help="clips encoded at a time for the unet stage")
    parser.add_argument("--frames", type=int, default=128, help="latent frames per unet training piece, 128 is whole")
    parser.add_argument("--whole-every", type=int, default=3, help="every so many steps, the piece is the whole clip")
    parser.add_argument("--uses", type=int, default=4, help="how often each of them is used")
    parser.add_argument("--anneal", action="store_true")
    parser.add_argument("--size", choices=tuple(SIZES), default="full", help="small is for two hours on a CPU")
    return parser


def _pack(args: argparse.Namespace) -> None:
    from . import recordings, soundfont

    takes, entries = [], []
    parts = [(recordings.collect, (folder,)) for folder in args.recordings]
    parts += [(soundfont.render, (font, args.phrases, args.seed)) for font in args.soundfont]
    for collect, arguments in parts:
        more, described = collect(*arguments)
        takes, entries = takes + more, entries + described
    recordings.pack(takes, entries, args.pack)
    print(f"{len(entries)} takes, {sum(map(len, takes)) / recordings.SAMPLE_RATE / 60:.1f} minutes in {args.pack}")


def _train(args: argparse.Namespace) -> None:
    import torch

    from .train_unet import PoolPlan, train_unet
    from .train_vae import train_vae
    from .train_vocoder import train_vocoder

    torch.backends.cudnn.benchmark = True  # sizes never change within a stage
    torch.set_flush_denormal(True)
    size = SIZES[args.size]
    batch, rate = size.stages[args.stage]
    settings = Settings(args.minutes, args.steps, args.device, args.seed, args.batch or batch, args.learning_rate or rate,
                        args.anneal, size.ema_decay)
    corpus = load(args.corpus)
    if args.stage == "vae":
        train_vae(corpus, args.work, settings)
    elif args.stage == "vocoder":
        train_vocoder(corpus, args.work, settings, args.adversarial_after, size.vocoder)
    else:
        plan = PoolPlan(args.pool, args.uses, frames=args.frames, whole_every=args.whole_every)
        train_unet(corpus, args.work, settings, plan, size.unet, size.mixing)


def _export(args: argparse.Namespace) -> None:
    from .export import export
    from .networks import folder_size

    size = SIZES[args.size]
    export(args.work, args.out, size.unet, size.vocoder)
    print(f"{args.out}: {folder_size(args.out) / 1e6:.2f} MB")


def _credits(args: argparse.Namespace) -> None:
    from .credits import credits_of, write_credits
    from .recordings import unpack

    lines = credits_of(unpack(args.pack)[1], NAMES)
    write_credits(lines, args.out)
    print(f"{len(lines)} recordings in {args.out}")


def main(argv: list[str] | None = None) -> None:
    """Run one stage of the recipe."""
    args = _parser().parse_args(argv)
    if args.stage == "pack":
        _pack(args)
    elif args.stage == "corpus":
        plan = Plan((args.synthetic, 40, 30), (args.recorded, 40, 30))
        built = build(args.pack, args.corpus, args.seed, plan, args.workers)
        print(f"{len(built.items)} clips in {args.corpus}")
    elif args.stage == "compact":
        for name in ("vae", "vocoder", "unet"):
            compact(args.work, name, args.out)
    elif args.stage == "export":
        _export(args)
    elif args.stage == "credits":
        _credits(args)
    else:
        _train(args)


if __name__ == "__main__":
    main()
