"""The recipe's command: `python -m server.models.embedded.train STAGE ...`; every stage is resumable.

    whole    --recordings DIR ... [--soundfont FILE.sf2 ...] --minilm DIR --work DIR --out DIR --minutes M   all of these
    pack     --recordings DIR ... [--soundfont FILE.sf2 ...] --pack DIR      recordings and instrument phrases, with credits
    corpus   --pack DIR --corpus DIR [--synthetic N] [--workers N]           all clips, from the seed
    text     --corpus DIR --minilm DIR --work DIR                            the text tower
    vae      --corpus DIR --work DIR --minutes M [--anneal]
    vocoder  --corpus DIR --work DIR --minutes M [--anneal]                  may run beside vae and unet
    unet     --corpus DIR --work DIR --minutes M [--anneal]                  after text and vae
    t5       --corpus DIR --work DIR                                         the waveform model's text encoder, after text
    codec    --corpus DIR --work DIR                                         the waveform model's autoencoder
    dit      --corpus DIR --work DIR --minutes M [--anneal]                  the waveform model's transformer, after both
    compact  --work DIR --out DIR                                            small checkpoints that resume without optimiser
    export   --work DIR --out DIR                                            the folder that ships
    waveform --work DIR --out DIR                                            the folder of the waveform model
    bank     --corpus DIR --work DIR --weights DIR --out DIR                 the model `mosaic`, beside exported weights
    credits  --pack DIR --out FILE.csv                                       who made the recordings that were used

`--minutes` and `--steps` count from where the stage stands now; `--anneal` lowers the learning rate to nothing over
this part, so it belongs to the last part of a stage. The same commands run on a CPU and on a GPU (`--device`).
"""

import argparse
from pathlib import Path

from . import stages
from .corpus import Plan, build, load
from .loop import settle

STAGES = ("whole", "pack", "corpus", "text", "t5", "codec", *stages.TRAINED, "compact", "export", "waveform", "bank",
          "credits")
FOLDERS = ("pack", "corpus", "work", "out", "minilm", "weights")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    for name in FOLDERS:
        parser.add_argument(f"--{name}", type=Path)
    for name in ("recordings", "soundfont"):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help="may be given several times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--synthetic", type=int, default=200, help="synthetic training clips per class")
    parser.add_argument("--recorded", type=int, default=150, help="training clips per class from each kind of recording")
    parser.add_argument("--held", type=int, default=40, help="clips per class and kind for each held-out split, at most")
    parser.add_argument("--phrases", type=int, default=12, help="instrument phrases per soundfont program")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--steps", type=int, default=1 << 60)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--anneal", action="store_true")
    parser.add_argument("--size", choices=tuple(stages.SIZES), default="full", help="small is for two hours on a CPU")
    return parser


def _needed(args: argparse.Namespace, *names: str) -> list[Path]:
    missing = [name for name in names if getattr(args, name) is None]
    if missing:
        raise SystemExit(f"{args.stage} needs {', '.join(f'--{name}' for name in missing)}; see --help.")
    return [getattr(args, name) for name in names]


def main(argv: list[str] | None = None) -> None:
    """Run one stage of the recipe, or all."""
    args = _parser().parse_args(argv)
    size = stages.SIZES[args.size]
    plan = Plan((args.synthetic, args.held, args.held), (args.recorded, args.held, args.held))
    sources = stages.Sources(tuple(args.recordings), tuple(args.soundfont), args.phrases, plan)
    budget = stages.Budget(args.minutes, args.steps, args.device, args.anneal, args.batch, args.learning_rate)
    match args.stage:
        case "whole":
            minilm, work, out = _needed(args, "minilm", "work", "out")
            settle()
            stages.whole(sources, minilm, work, out, size, budget, args.seed, args.workers)
        case "pack":
            (pack,) = _needed(args, "pack")
            print(f"{stages.pack(sources, pack, args.seed)} takes in {pack}")
        case "corpus":
            pack, corpus = _needed(args, "pack", "corpus")
            print(f"{len(build(pack, corpus, args.seed, plan, args.workers).items)} clips in {corpus}")
        case "text":
            corpus, minilm, work = _needed(args, "corpus", "minilm", "work")
            print(stages.text(load(corpus), work, minilm, args.seed))
        case "t5":
            corpus, work = _needed(args, "corpus", "work")
            print(stages.t5(load(corpus), work, args.seed))
        case "codec":
            corpus, work = _needed(args, "corpus", "work")
            stages.codec(load(corpus), work, size, args.device, args.seed)
        case "compact":
            stages.smaller(*_needed(args, "work", "out"))
        case "export":
            work, out = _needed(args, "work", "out")
            print(f"{out}: {stages.export(work, out):.1f} MB")
        case "waveform":
            work, out = _needed(args, "work", "out")
            print(f"{out}: {stages.export_waveform(work, out):.1f} MB")
        case "bank":
            corpus, work, weights, out = _needed(args, "corpus", "work", "weights", "out")
            stages.bank(load(corpus), work, weights, out, args.seed)
        case "credits":
            pack, out = _needed(args, "pack", "out")
            print(f"{stages.credits(pack, out)} lines in {out}")
        case stage:
            corpus, work = _needed(args, "corpus", "work")
            settle()
            stages.train(stage, load(corpus), work, size, budget, args.seed)


if __name__ == "__main__":
    main()
