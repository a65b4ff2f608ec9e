"""How good a trained folder is, in figures: `python -m server.models.embedded.evaluate WEIGHTS --corpus DIR --out DIR`.

    rebuild   error of the autoencoder's round trip on held-out clips, in nat of log-mel
    vocoder   distance from the real sound of the vocoder (as rendered, its levels corrected; and alone) and of
              Griffin-Lim, all given the real log-mel
    text      in what share of generated clips the judge hears the class that was asked for

Held-out means the split `test`, whose sources neither the model nor the judge was trained on. Everything is drawn from
`--seed`. Each part adds its figures to `figures.json`; `report.md` and `picture.png` are made from that.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from server.kinds.generate import GenerateOptions
from server.methods import generate
from server.methods.context import Context, Progress
from server.models.loading import load
from server.models.mel_backbone import MelBackbone
from server.models.mel_correction import toward_mel

from .corpus import Corpus
from .corpus import load as load_corpus
from .format import CLIP_SAMPLES
from .griffin_lim import griffin_lim, magnitudes
from .judge import Judge, classes_in_use, clips_of, even_rows, hear, targets, train_judge
from .networks import LogMel
from .picture import draw
from .report import report
from .train_vocoder import StftDistance
from .vocabulary import CLASSES, NAMES

PARTS = ("rebuild", "vocoder", "text")
CLIP_S = 5.12
BEST = 8  # prompts of the second trial


@dataclass(frozen=True)
class Trial:
    """What the text part generates: clips per prompt, sampler steps, guidance, seed."""

    clips: int = 4
    steps: int = 50
    guidance: float = 4.0
    seed: int = 2026


@dataclass(frozen=True)
class Bench:
    """What is measured and with what: the loaded model, the corpus, its held-out rows, the mel front end."""

    backbone: MelBackbone
    corpus: Corpus
    rows: np.ndarray

    @property
    def names(self) -> list[str]:
        """Class names in the judge's order."""
        return [NAMES[index] for index in classes_in_use(self.corpus)]


def _by_class(bench: Bench, values: Tensor, rows: np.ndarray) -> dict[str, float]:
    wanted = targets(bench.corpus, rows)
    return {name: round(float(values[wanted == k].mean()), 4) for k, name in enumerate(bench.names)}


@torch.no_grad()
def rebuild(bench: Bench) -> dict:
    """Mean absolute log-mel error (nat) of the autoencoder's round trip, overall and per class."""
    log_mel, vae = LogMel(), bench.backbone.parts.vae
    errors = []
    for part in np.array_split(bench.rows, max(1, len(bench.rows) // 8)):
        mel = log_mel(clips_of(bench.corpus, part, CLIP_SAMPLES))
        errors.append((vae.decode(vae.encode(mel).latent_dist.mode()).sample - mel).abs().mean((1, 2, 3)))
    errors = torch.cat(errors)
    return {"clips": len(errors), "nat": round(float(errors.mean()), 4),
            "by_class": _by_class(bench, errors, bench.rows)}


@torch.no_grad()
def vocoder(bench: Bench, per_class: int) -> dict:
    """Multi-resolution STFT distance to the real sound of vocoder and Griffin-Lim (60 iterations) from the same log-mel.

    `vocoder` is what a render uses, `vocoder_alone` is without the correction of its levels.
    """
    backbone, names = bench.backbone, ("vocoder", "vocoder_alone", "griffin_lim")
    mels, distance = LogMel(), StftDistance()
    rows = even_rows(bench.corpus, "test", per_class, seed=1)
    found: dict[str, list[float]] = {name: [] for name in names}
    for row in rows:
        real = clips_of(bench.corpus, np.array([row]), CLIP_SAMPLES)
        mel = mels(real)
        alone = backbone.parts.vocoder(mel[:, 0])
        made = (toward_mel(alone, mel[:, 0], backbone.mel, backbone.mel_passes), alone,
                griffin_lim(magnitudes(mel, mels), CLIP_SAMPLES, mels.window, seed=int(row)))
        for name, audio in zip(names, made, strict=True):
            found[name].append(float(distance(audio, real)))
    values = {name: torch.tensor(distances) for name, distances in found.items()}
    nearer = (values["vocoder"] < values["griffin_lim"]).float()
    return {"clips": len(rows), "vocoder_nearer": round(float(nearer.mean()), 4), **{
        name: {"mean": round(float(v.mean()), 4), "by_class": _by_class(bench, v, rows)} for name, v in values.items()}}


def prompts_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """The card's prompts, one per class, of the classes given."""
    return [(prompt, name) for prompt, name in ((c.example, c.name) for c in CLASSES) if name in names]


def generated(bench: Bench, prompt: str, trial: Trial, seed: int) -> Tensor:
    """Clips `[trial.clips, 163840]` as a person gets them from the job kind `generate`."""
    options = GenerateOptions(prompt=prompt, seconds=CLIP_S, steps=trial.steps, guidance=trial.guidance,
                              variations=trial.clips, seed=seed)
    context = Context("evaluation", {}, Path(), lambda name: bench.backbone, _quietly)
    made = generate.run({}, options, context)
    return torch.from_numpy(np.stack([output.clip.samples[0] for output in made]))


def _quietly(progress: Progress) -> None:
    """Progress is of no interest here."""


def _trial(bench: Bench, judge: Judge, prompts: list[tuple[str, str]], trial: Trial) -> tuple[dict, dict[str, Tensor]]:
    """What the judge heard, per prompt, and the first clip of each class."""
    results, first = [], {}
    for number, (prompt, name) in enumerate(prompts):
        audio = generated(bench, prompt, trial, trial.seed + number)
        heard = [bench.names[k] for k in hear(judge, audio)]
        results.append({"prompt": prompt, "class": name, "heard": heard, "hits": heard.count(name)})
        first[name] = audio[0]
        print(f"{prompt:24} {heard.count(name):2} of {len(heard)}   {', '.join(heard)}", flush=True)
    total = sum(len(r["heard"]) for r in results)
    share = sum(r["hits"] for r in results) / max(1, total)
    return {"clips": total, "share": round(share, 4), "steps": trial.steps, "guidance": trial.guidance,
            "seed": trial.seed, "prompts": results}, first


@torch.no_grad()
def _judged(bench: Bench, judge: Judge) -> dict:
    """How often the judge is right about held-out clips: as they are, and after autoencoder and vocoder."""
    wanted, plain, passed = targets(bench.corpus, bench.rows), [], []
    for part in np.array_split(bench.rows, max(1, len(bench.rows) // 8)):
        audio = clips_of(bench.corpus, part, CLIP_SAMPLES)
        plain.append(hear(judge, audio))
        latents = bench.backbone.encode(audio[:, None])
        passed.append(hear(judge, bench.backbone.decode(latents, CLIP_SAMPLES)[:, 0]))
    right = {"real": torch.cat(plain) == wanted, "through_the_model": torch.cat(passed) == wanted}
    return {"chance": round(1 / len(bench.names), 4), "clips": len(wanted), **{
        name: {"accuracy": round(float(r.float().mean()), 4), "by_class": _by_class(bench, r.float(), bench.rows)}
        for name, r in right.items()}}


def text(bench: Bench, judge: Judge, trial: Trial, best_clips: int) -> tuple[dict, dict[str, Tensor]]:
    """All prompts; then the `BEST` of them again, with other seeds, so that the choice does not flatter the figure."""
    figures = {"judge": _judged(bench, judge)}
    figures["all"], first = _trial(bench, judge, prompts_of(bench.names), trial)
    if best_clips:
        ranked = sorted(figures["all"]["prompts"], key=lambda r: -r["hits"])[:BEST]
        again = Trial(best_clips, trial.steps, trial.guidance, trial.seed + 1000)
        figures["best"], _ = _trial(bench, judge, [(r["prompt"], r["class"]) for r in ranked], again)
    return figures, first


def _judge(corpus: Corpus, path: Path) -> Judge:
    """The judge kept in the evaluation's folder, taught first where there is none."""
    if not path.exists():
        torch.save(train_judge(corpus).state_dict(), path)
    judge = Judge(len(corpus.classes))
    judge.load_state_dict(torch.load(path, weights_only=True))
    return judge.eval()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("evaluation"))
    parser.add_argument("--work", type=Path, help="folder of the training curves, for the picture")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--per-class", type=int, default=8, help="held-out clips per class")
    parser.add_argument("--vocoder-per-class", type=int, default=4)
    parser.add_argument("--clips", type=int, default=4, help="generated clips per prompt")
    parser.add_argument("--best-clips", type=int, default=10, help="clips of each of the best prompts; 0: none")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=2026)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = _parser().parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(args.corpus)
    backbone = load(str(args.weights), device="cpu")
    assert isinstance(backbone, MelBackbone), "the recipe trains the AudioLDM layout"
    bench = Bench(backbone, corpus, even_rows(corpus, "test", args.per_class, seed=0))
    kept = args.out / "figures.json"
    figures = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if "rebuild" in args.parts:
        figures["rebuild"] = rebuild(bench)
    if "vocoder" in args.parts:
        figures["vocoder"] = vocoder(bench, args.vocoder_per_class)
    first: dict[str, Tensor] = {}
    if "text" in args.parts:
        trial = Trial(args.clips, args.steps, seed=args.seed)
        figures["text"], first = text(bench, _judge(corpus, args.out / "judge.pt"), trial, args.best_clips)
    kept.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if set(PARTS) <= set(figures):
        (args.out / "report.md").write_text(report(figures), encoding="utf-8")
    draw(args.out / "picture.png", bench.names, _real(bench), first, args.work)
    print(json.dumps({part: _headline(part, figures[part]) for part in figures}, indent=1))


def _real(bench: Bench) -> dict[str, Tensor]:
    """One held-out clip per class."""
    wanted = targets(bench.corpus, bench.rows).tolist()
    rows = np.array([bench.rows[wanted.index(k)] for k in range(len(bench.names))])
    return dict(zip(bench.names, clips_of(bench.corpus, rows, CLIP_SAMPLES), strict=True))


def _headline(part: str, found: dict) -> dict:
    if part == "rebuild":
        return {"nat": found["nat"]}
    if part == "vocoder":
        return {name: found[name]["mean"] for name in ("vocoder", "vocoder_alone", "griffin_lim")}
    return {"asked_and_heard": found["all"]["share"], "best": found.get("best", {}).get("share"),
            "judge": found["judge"]["real"]["accuracy"],
            "judge_through_the_model": found["judge"]["through_the_model"]["accuracy"]}


if __name__ == "__main__":
    main()
