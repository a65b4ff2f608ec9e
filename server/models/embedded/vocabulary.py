"""The words the embedded model knows: its sound classes, their names and which recordings belong to them."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class SoundClass:
    """One class of sound: the phrases that name it, and the patterns that find its recordings.

    `recordings` maps a regular expression, searched in "label|file name" of a recording, to the phrases that
    describe just those recordings (empty: the class's own phrases). The first class that matches takes the file.
    """

    name: str
    phrases: tuple[str, ...]
    recordings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    weight: float = 1.0


def _c(name: str, phrases: str, recordings: dict[str, str] | None = None, weight: float = 1.0) -> SoundClass:
    found = tuple((pattern, _split(words)) for pattern, words in (recordings or {}).items())
    return SoundClass(name, _split(phrases), found, weight)


def _split(phrases: str) -> tuple[str, ...]:
    return tuple(p.strip() for p in phrases.split(",") if p.strip())


CLASSES: tuple[SoundClass, ...] = (
    _c("struck metal", "struck metal, a struck metal plate, a metal bar hit, a gong, metal clang, metallic hit,"
       " hammered metal, metal impact", weight=1.5),
    _c("bowed metal", "bowed metal, a bowed cymbal, bowed gong, bowed metal plate, scraped cymbal swell,"
       " a bowed vibraphone", weight=1.5),
    _c("bell", "a bell, bells, church bell, tubular bell, tolling bell, bell chimes, carillon",
       {r"church.bells": "church bells", r"bicycle.bell|doorbell": ""}, 1.5),
    _c("glass", "glass bells, a glass bell, wine glass ringing, glass chimes, struck glass, crystal glass,"
       " glass harmonica", weight=1.5),
    _c("plucked string", "plucked strings, a plucked string, guitar pluck, harp notes, pizzicato, koto, zither,"
       " plucked guitar"),
    _c("bowed string", "bowed strings, a bowed string, cello, violin, string section, sustained strings, viola note"),
    _c("flute", "a flute, flute tones, breathy flute, shakuhachi, whistling tone, pan pipes, blown pipe"),
    _c("breath", "breath, breathing, exhale, whispered air, blowing air, windy breath",
       {r"fatigue|balloon.inflate": ""}),
    _c("choir", "a choir, voices, choir singing aah, singing voice, vocal vowels, choral voices, human voices,"
       " chanting monks", weight=1.5),
    _c("drone", "a drone, deep drone, dark drone, ambient drone, low hum, sustained drone, evolving pad",
       {r"humming": "electric hum, humming drone"}, 1.5),
    _c("granular cloud", "a granular cloud, grains, granular texture, swarm of grains, particle cloud, granulated sound,"
       " micro sound cloud", weight=1.5),
    _c("noise texture", "noise texture, filtered noise, white noise, noise sweep, hiss, static noise, pink noise",
       {r"radio\|static": "radio static"}),
    _c("rumble", "rumble, low rumble, deep rumbling, sub bass rumble, earthquake rumble, subterranean rumble"),
    _c("drum", "a drum, drum hit, drums, tom drum, kick drum, snare drum, taiko, hand drum"),
    _c("cymbal", "a cymbal, cymbal crash, ride cymbal, hi-hat, splash cymbal, cymbal roll"),
    _c("wood", "wood block, wooden percussion, marimba, knocking on wood, struck wood, xylophone",
       {r"door.knock|woodpecker": "knocking on wood"}),
    _c("synth tone", "synth tone, electronic tone, synthesizer, FM tone, electronic beep, analog synth, synth bass",
       {r"laser|plasma.shot|weather.portal": "laser, electronic zap"}),
    _c("piano", "a piano, piano notes, piano chord, grand piano, piano melody", {r"events.*piano": ""}, 0.7),
    _c("brass", "brass, a horn, trumpet, french horn, trombone, brass section, tuba",
       {r"vehicle horn|bicycle.horn": "a car horn, honking horn"}, 0.7),
    _c("organ", "an organ, pipe organ, organ chord, harmonium, accordion", weight=0.7),
    _c("water", "water drops, dripping water, bubbles, bubbling water, water splashing, a stream",
       {r"water": "splashing water, footsteps in water"}),
    _c("rain", "rain, rain on a roof, heavy rain, light rain, rainfall, steady rain, drizzle",
       {r"rain(?!bow)(?!_drop)(?!.*whistle)(?<!t)": ""}, 1.3),
    _c("thunder", "thunder, thunderstorm, distant thunder, thunder clap, rolling thunder, storm", {r"thunder": ""}, 1.2),
    _c("wind", "wind, howling wind, wind gusts, strong wind, winter wind, breeze, blizzard",
       {r"\bwind\b|flurries|snow|weather_.*winter|weather_cloudy|leaves": ""}, 1.3),
    _c("sea", "sea waves, ocean waves, waves on the shore, surf, the sea, waves crashing", {r"sea.waves": ""}, 1.3),
    _c("fire", "fire, crackling fire, fire crackling, campfire, burning wood, flames",
       {r"fire.crackl|fireball|match.ignite|fuse|oxytorch": ""}, 1.2),
    _c("birds", "birds, birdsong, bird chirping, birds singing, forest birds, a bird call",
       {r"canary|\bbird\b|parrot|seagull|peacock|\bowl\b|\bcrow\b|pigeon|quail|vulture|weather_(sunny|clear)": "",
        r"rooster|chicken|turkey": "a rooster, rooster crowing, chicken", r"duck|goose|penguin": "a duck, quacking"}, 1.2),
    _c("insects", "insects, crickets, cicadas, buzzing bees, night insects, insect buzz",
       {r"cicada|cricket|grasshopper|clear_night|weather night": "cicadas, crickets, night insects",
        r"\bbees?\b|bumble": "bees, buzzing bees"}),
    _c("dog", "a dog, dog barking, barking dog, dogs, dog bark", {r"dog.bark|puppy": "", r"wolf|coyote": "a wolf howling"}),
    _c("animal growl", "animal growl, a growling beast, roaring lion, monster growl, snarling animal, creature",
       {r"leopard|tiger|lion|bear\b|jaguar|gorilla|zombie|undead|camel|growl|roar|walrus": "",
        r"cow.moo|goat|sheep|lamb|horse.neigh|elephant|pig|zebra|yak": "a farm animal, animal call"}),
    _c("baby", "a baby crying, crying baby, infant cry, baby cry", {r"baby.cry": ""}, 0.8),
    _c("sneeze", "a sneeze, sneezing, person sneezing", {r"sneeze": ""}, 0.6),
    _c("clock", "a clock ticking, ticking clock, clock tick, mechanical ticking",
       {r"clock.tick|watch.tick|geiger": ""}, 0.8),
    _c("engine", "an engine, motor running, car engine, machine engine, diesel engine, engine idling",
       {r"engine|motor|car.motor|truck|gear": "", r"airplane|jet.": "an airplane, jet engine, jet flyby"}, 1.2),
    _c("helicopter", "a helicopter, helicopter flying, helicopter rotor", {r"helicopter": ""}, 0.8),
    _c("chainsaw", "a chainsaw, chainsaw cutting, power saw", {r"chainsaw": ""}, 0.8),
    _c("footsteps", "footsteps, walking, steps, person walking, footstep",
       {r"gravel": "footsteps on gravel, walking on gravel", r"grass": "footsteps on grass, walking in grass",
        r"walk.*concrete|rock.floor": "footsteps on concrete", r"walk.metal": "footsteps on metal",
        r"carpet|barefoot|dirt|plmove|gallop": ""}),
    _c("glass breaking", "glass breaking, breaking glass, shattering glass, smashed glass, broken window",
       {r"(smash|break).*(glass|window|ceramic)": "", r"tool.break": ""}),
    _c("wood breaking", "wood breaking, wood smash, splintering wood, wooden crash, snapping wood",
       {r"smash.*(wood|wall|plastic)|\baxe|tree.creak": ""}),
    _c("metal smash", "metal crash, metal smash, clashing metal, metal debris, rattling metal",
       {r"smash.*(metal|chain|vehicle)|chain.link|pickaxe|shovel|coin": ""}),
    _c("rubble", "rubble, falling rocks, concrete smash, bricks falling, crumbling stone, debris",
       {r"smash.*(concrete|brick)|rubble|clear.obstacle": ""}),
    _c("explosion", "an explosion, blast, explosion boom, cannon, gun shot",
       {r"explosion|fireworks|(pistol|rifle|shotgun|ar).(fire(?!.dry)|burst)": ""}),
    _c("door", "a door closing, door slam, door opening, creaking door, door creak",
       {r"door|trunk|window|curtain": ""}),
    _c("whoosh", "a whoosh, swoosh, fast whoosh, swish, rising whoosh, riser",
       {r"woosh|melee.swing|arrow": ""}),
    _c("scrape", "scraping, scratching, screeching, scrape, chalk screech, friction", {r"scrape|chalk|zipper|pencil": ""}),
)

NAMES: tuple[str, ...] = tuple(c.name for c in CLASSES)

# What a model learns that is trained on a CPU in two hours: enough for sound design, few enough to be told apart.
CORE: tuple[str, ...] = (
    "struck metal", "bowed metal", "bell", "glass", "plucked string", "bowed string", "flute", "choir", "drone",
    "granular cloud", "noise texture", "drum", "piano", "rain", "thunder", "wind", "sea", "fire", "birds", "dog",
)

# Words that a caption may add; keys are what a synthesis reports about its own sound.
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "bright": ("bright", "brilliant", "sharp"),
    "dark": ("dark", "dull", "muffled"),
    "low": ("low", "deep", "bass"),
    "high": ("high", "high pitched", "piercing"),
    "long": ("long", "ringing", "sustained"),
    "short": ("short", "dry", "damped"),
    "dense": ("dense", "thick", "busy"),
    "sparse": ("sparse", "scattered"),
    "soft": ("soft", "gentle", "quiet"),
    "hard": ("hard", "strong", "powerful"),
    "slow": ("slow", "slowly evolving"),
    "fast": ("fast", "rapid"),
    "swelling": ("swelling", "rising", "growing"),
    "fading": ("fading", "falling"),
    "wet": ("reverberant", "in a large hall", "distant"),
    "rough": ("rough", "gritty", "noisy"),
    "smooth": ("smooth", "pure"),
}

TEMPLATES: tuple[str, ...] = (
    "{x}", "{x}", "{x}", "{x}", "the sound of {x}", "a recording of {x}", "sound effect of {x}", "{x} sound",
    "{x} texture", "close recording of {x}", "{x} in a room",
)

# What the card shows; the evaluation generates from these.
EXAMPLES: tuple[tuple[str, str], ...] = (
    ("glass bells", "glass"), ("a bowed cymbal", "bowed metal"), ("struck metal plate", "struck metal"),
    ("church bell tolling", "bell"), ("a dark drone", "drone"), ("rain on a roof", "rain"),
    ("choir singing aah", "choir"), ("a granular cloud", "granular cloud"), ("howling wind", "wind"),
    ("thunder", "thunder"), ("sea waves", "sea"), ("crackling fire", "fire"), ("birdsong", "birds"),
    ("plucked strings", "plucked string"), ("drum hits", "drum"), ("a breathy flute", "flute"),
    ("cello", "bowed string"), ("white noise", "noise texture"), ("piano notes", "piano"), ("dog barking", "dog"),
)


def class_of_recording(label: str, file: str) -> tuple[int, tuple[str, ...]] | None:
    """Class index and describing phrases of a recording, or None where no class wants it."""
    text = f"{label}|{file}".lower()
    for index, sound in enumerate(CLASSES):
        for pattern, phrases in sound.recordings:
            if re.search(pattern, text):
                return index, phrases or sound.phrases
    return None
