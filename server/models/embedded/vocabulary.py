"""The words the embedded model knows: its sound classes by group, their names and which recordings belong to them."""

import re
from dataclasses import dataclass

GROUPS = ("instruments", "voices", "creatures", "weather and water", "machines", "impacts", "abstract")


@dataclass(frozen=True)
class SoundClass:
    """One class of sound: the phrases that name it, and the patterns that find its recordings.

    `group` is one of `GROUPS` (own classes: any word), `example` a prompt that asks for it. `recordings` maps a
    regular expression, searched in "label|file name" of a recording, to the phrases that describe just those
    recordings (empty: the class's own phrases). The first class that matches takes the file.
    """

    name: str
    phrases: tuple[str, ...]
    group: str = "own"
    example: str = ""
    recordings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    weight: float = 1.0


def _c(group: str, name: str, example: str, phrases: str, recordings: dict[str, str] | None = None,
       weight: float = 1.0) -> SoundClass:
    found = tuple((pattern, _split(words)) for pattern, words in (recordings or {}).items())
    return SoundClass(name, _split(phrases), group, example, found, weight)


def _split(phrases: str) -> tuple[str, ...]:
    return tuple(p.strip() for p in phrases.split(",") if p.strip())


_INSTRUMENTS = (
    _c("instruments", "bell", "church bell tolling",
       "a bell, bells, church bell, church bell tolling, tubular bell, tolling bell, bell chimes, carillon",
       {r"church.bells": "church bells", r"bicycle.bell|doorbell": "a small bell, door bell"}, 1.5),
    _c("instruments", "plucked string", "a harp",
       "plucked strings, a plucked string, harp, pizzicato, koto, zither, banjo, mandolin"),
    _c("instruments", "guitar", "an acoustic guitar",
       "a guitar, acoustic guitar, electric guitar, guitar pluck, nylon guitar, steel guitar, guitar strings"),
    _c("instruments", "bowed string", "a cello",
       "bowed strings, a bowed string, cello, violin, string section, sustained strings, viola note"),
    _c("instruments", "flute", "a breathy flute",
       "a flute, flute tones, breathy flute, shakuhachi, whistling tone, pan pipes, blown pipe",
       {r"^whistle\|": "whistling, a whistle"}),
    _c("instruments", "reed", "a clarinet", "a reed instrument, saxophone, clarinet, oboe, bassoon, woodwind reed"),
    _c("instruments", "brass", "a trumpet", "brass, a horn, trumpet, french horn, trombone, brass section, tuba",
       {r"vehicle horn|bicycle.horn": "a car horn, honking horn"}, 0.8),
    _c("instruments", "piano", "a grand piano", "a piano, piano notes, piano chord, grand piano, piano melody",
       {r"\bpiano\b": ""}, 0.9),
    _c("instruments", "organ", "a pipe organ", "an organ, pipe organ, organ chord, harmonium, accordion", weight=0.8),
    _c("instruments", "drum", "drum hits",
       "a drum, drum hit, drum hits, drums, tom drum, kick drum, snare drum, taiko, hand drum"),
    _c("instruments", "cymbal", "a cymbal crash",
       "a cymbal, cymbal crash, ride cymbal, hi-hat, splash cymbal, cymbal roll"),
    _c("instruments", "wood", "a marimba",
       "wood block, wooden percussion, marimba, knocking on wood, struck wood, xylophone",
       {r"door.knock|woodpecker": "knocking on wood"}),
    _c("instruments", "synth tone", "an analog synth",
       "synth tone, electronic tone, synthesizer, FM tone, electronic beep, analog synth, synth bass",
       {r"laser|plasma.shot|weather.portal|\brobot\b": "laser, electronic zap",
        r"car.alarm|rear.beeper|\|alarm|police.siren": "an alarm, siren, electronic alarm"}),
)

_VOICES = (
    _c("voices", "choir", "a choir singing aah", "a choir, voices, choir singing aah, singing voice, vocal vowels,"
       " choral voices, human voices, chanting monks", weight=1.5),
    _c("voices", "male speech", "a man speaking",
       "a man speaking, male speech, male voice talking, a man talking, a male narrator, spoken words of a man",
       {r"^male speech\|": ""}),
    _c("voices", "female speech", "a woman speaking",
       "a woman speaking, female speech, female voice talking, a woman talking, a female narrator,"
       " spoken words of a woman", {r"^female speech\|": ""}),
    _c("voices", "baby", "a baby crying", "a baby crying, crying baby, infant cry, baby cry", {r"baby.cry": ""}, 0.8),
    _c("voices", "sneeze", "a sneeze", "a sneeze, sneezing, person sneezing", {r"sneeze": ""}, 0.6),
)

_WEATHER = (
    _c("weather and water", "water", "dripping water",
       "water drops, dripping water, bubbles, bubbling water, water splashing, a stream",
       {r"water": "splashing water, footsteps in water"}),
    _c("weather and water", "rain", "rain on a roof",
       "rain, rain on a roof, heavy rain, light rain, rainfall, steady rain, drizzle",
       {r"rain(?!bow)(?!_drop)(?!.*whistle)(?<!t)|drizzle": ""}, 1.3),
    _c("weather and water", "thunder", "thunder",
       "thunder, thunderstorm, distant thunder, thunder clap, rolling thunder, storm", {r"thunder": ""}, 1.2),
    _c("weather and water", "wind", "howling wind",
       "wind, howling wind, wind gusts, strong wind, winter wind, breeze, blizzard",
       {r"\bwind\b|flurries|snow|weather_.*winter|weather_cloudy|leaves": ""}, 1.3),
    _c("weather and water", "sea", "sea waves",
       "sea waves, ocean waves, waves on the shore, surf, the sea, waves crashing", {r"sea.waves": ""}, 1.3),
    _c("weather and water", "fire", "crackling fire",
       "fire, crackling fire, fire crackling, campfire, burning wood, flames",
       {r"fire.crackl|fireball|match.ignite|fuse|oxytorch": ""}, 1.2),
)

_CREATURES = (
    _c("creatures", "birds", "birdsong",
       "birds, birdsong, bird chirping, birds singing, forest birds, a bird call",
       {r"canary|\bbird\b|parrot|seagull|peacock|\bowl\b|\bcrow\b|pigeon|quail|vulture|weather_(sunny|clear)": "",
        r"rooster|chicken|turkey": "a rooster, rooster crowing, chicken", r"duck|goose|penguin": "a duck, quacking"}, 1.2),
    _c("creatures", "insects", "night insects",
       "insects, crickets, cicadas, buzzing bees, night insects, insect buzz",
       {r"cicada|cricket|grasshopper|clear_night|weather night": "cicadas, crickets, night insects",
        r"\bbees?\b|bumble": "bees, buzzing bees"}),
    _c("creatures", "dog", "a dog barking", "a dog, dog barking, barking dog, dogs, dog bark",
       {r"dog.bark|puppy": "", r"wolf|coyote": "a wolf howling"}),
    _c("creatures", "animal growl", "a roaring lion",
       "animal growl, a growling beast, roaring lion, monster growl, snarling animal, creature",
       {r"leopard|tiger|lion|bear\b|jaguar|gorilla|zombie|undead|camel|growl|roar|walrus": "",
        r"cow.moo|goat|sheep|lamb|horse.(neigh|snort)|elephant|pig|zebra|yak": "a farm animal, animal call",
        r"monkey": "a monkey, animal call", r"cat.meow": "a cat, cat meowing", r"\bwhale\b": "a whale, whale song"}),
)

_MACHINES = (
    _c("machines", "clock", "a clock ticking", "a clock ticking, ticking clock, clock tick, mechanical ticking",
       {r"clock.tick|watch.tick|geiger": ""}, 0.8),
    _c("machines", "engine", "an engine idling",
       "an engine, motor running, car engine, machine engine, diesel engine, engine idling",
       {r"engine|motor|car.motor|truck|gear": "", r"airplane|jet.": "an airplane, jet engine, jet flyby"}, 1.2),
    _c("machines", "helicopter", "a helicopter", "a helicopter, helicopter flying, helicopter rotor",
       {r"helicopter": ""}, 0.8),
    _c("machines", "chainsaw", "a chainsaw", "a chainsaw, chainsaw cutting, power saw", {r"chainsaw": ""}, 0.8),
)

_IMPACTS = (
    _c("impacts", "footsteps", "footsteps on gravel", "footsteps, walking, steps, person walking, footstep",
       {r"gravel": "footsteps on gravel, walking on gravel", r"grass": "footsteps on grass, walking in grass",
        r"walk.*concrete|rock.floor": "footsteps on concrete", r"walk.metal": "footsteps on metal",
        r"carpet|barefoot|dirt|plmove(?!.*fatigue)|gallop": ""}),
    _c("impacts", "glass breaking", "breaking glass",
       "glass breaking, breaking glass, shattering glass, smashed glass, broken window",
       {r"(smash|break).*(glass|window|ceramic)": "", r"tool.break": ""}),
    _c("impacts", "wood breaking", "splintering wood",
       "wood breaking, wood smash, splintering wood, wooden crash, snapping wood",
       {r"smash.*(wood|wall|plastic)|\baxe|tree.creak": ""}),
    _c("impacts", "metal smash", "a metal crash",
       "metal crash, metal smash, clashing metal, metal debris, rattling metal",
       {r"smash.*(metal|chain|vehicle)|chain.link|pickaxe|shovel|coin": "",
        r"(pistol|rifle).(cock|reload)|shotgun.pump": "a metal click, weapon being loaded"}),
    _c("impacts", "rubble", "falling rocks",
       "rubble, falling rocks, concrete smash, bricks falling, crumbling stone, debris",
       {r"smash.*(concrete|brick)|rubble|clear.obstacle": ""}),
    _c("impacts", "explosion", "an explosion", "an explosion, blast, explosion boom, cannon, gun shot",
       {r"explosion|fireworks|(pistol|rifle|shotgun|ar).(fire(?!.dry)|burst)": "", r"balloon.pop": "a pop, small blast"}),
    _c("impacts", "door", "a door slam", "a door closing, door slam, door opening, creaking door, door creak",
       {r"door(?!s)|trunk|window|curtain": ""}),
)

_ABSTRACT = (
    _c("abstract", "struck metal", "a struck metal plate", "struck metal, a struck metal plate, a metal bar hit, a gong,"
       " metal clang, metallic hit, hammered metal, metal impact", weight=1.5),
    _c("abstract", "bowed metal", "a bowed cymbal", "bowed metal, a bowed cymbal, bowed gong, bowed metal plate,"
       " scraped cymbal swell, a bowed vibraphone", weight=1.5),
    _c("abstract", "glass", "glass bells", "glass bells, a glass bell, wine glass ringing, glass chimes, struck glass,"
       " crystal glass, glass harmonica", weight=1.5),
    _c("abstract", "drone", "a dark drone", "a drone, deep drone, dark drone, ambient drone, low hum, sustained drone,"
       " evolving pad", {r"humming": "electric hum, humming drone"}, 1.5),
    _c("abstract", "granular cloud", "a granular cloud", "a granular cloud, grains, granular texture, swarm of grains,"
       " particle cloud, granulated sound, micro sound cloud", weight=1.5),
    _c("abstract", "noise texture", "filtered noise", "noise texture, filtered noise, white noise, noise sweep, hiss,"
       " static noise, pink noise", {r"radio\|static": "radio static"}),
    _c("abstract", "feedback", "howling feedback", "feedback, howling feedback, microphone feedback, audio feedback,"
       " no-input mixer, screaming feedback tone", weight=1.3),
    _c("abstract", "rumble", "deep rumbling", "rumble, low rumble, deep rumbling, sub bass rumble, earthquake rumble,"
       " subterranean rumble", {r"\|underground": ""}),
    _c("abstract", "whoosh", "a fast whoosh", "a whoosh, swoosh, fast whoosh, swish, rising whoosh, riser",
       {r"woosh|melee.swing|arrow|ricochet": ""}),
    _c("abstract", "scrape", "a metallic scrape", "scraping, scratching, screeching, scrape, metallic scrape,"
       " chalk screech, friction", {r"scrape|chalk|zipper|pencil|hacksaw": ""}),
)

# Weather stands before creatures: a winter's day with a bird in it is wind.
CLASSES: tuple[SoundClass, ...] = (*_ABSTRACT, *_INSTRUMENTS, *_VOICES, *_WEATHER, *_CREATURES, *_MACHINES, *_IMPACTS)
NAMES: tuple[str, ...] = tuple(c.name for c in CLASSES)


def described(sound: SoundClass) -> dict:
    """A class as a corpus or a pack stores it: name, phrases, group, example, weight."""
    return {"name": sound.name, "phrases": list(sound.phrases), "group": sound.group, "example": sound.example,
            "weight": sound.weight}


# Words that a caption may add; keys are what a synthesis reports about its own sound.
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "bright": ("bright", "brilliant", "sharp"),
    "dark": ("dark", "dull"),
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
    "wet": ("reverberant", "in a large room", "distant"),
    "rough": ("rough", "gritty"),
    "smooth": ("smooth", "pure"),
}

# Words for what is done to a whole clip, the damages that restoration undoes: always said when it was done.
DAMAGES: dict[str, tuple[str, ...]] = {
    "muffled": ("muffled", "heard through a wall"),
    "telephone": ("through a telephone", "narrow band"),
    "clipped": ("clipped", "distorted", "clipped and distorted"),
    "noisy": ("noisy recording", "with background noise", "hissing recording"),
    "hall": ("in a large hall", "in a cathedral", "far away in a hall"),
}

TEMPLATES: tuple[str, ...] = (
    "{x}", "{x}", "{x}", "{x}", "the sound of {x}", "a recording of {x}", "sound effect of {x}", "{x} sound",
    "{x} texture", "close recording of {x}", "{x} in a room",
)


def class_of_recording(label: str, file: str) -> tuple[int, tuple[str, ...]] | None:
    """Class index and describing phrases of a recording, or None where no class wants it."""
    text = f"{label}|{file}".lower()
    for index, sound in enumerate(CLASSES):
        for pattern, phrases in sound.recordings:
            if re.search(pattern, text):
                return index, phrases or sound.phrases
    return None
