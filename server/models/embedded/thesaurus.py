"""Words beside the captions' own that lead to a class: what the text tower is taught too.

No recording is described by them. `free_phrases.csv` holds none of them: it measures what was never taught.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


THESAURUS: dict[str, tuple[str, ...]] = {name: _words(text) for name, text in {
    "struck metal":
        "metal percussion, steel plate, sheet metal hit, a brake drum, iron pipe, tubular steel clank, blacksmith, "
        "tam-tam, bronze gong, hitting a girder, metallophone, spring steel, a beaten oil barrel, steel pan, clanging, "
        "clank, hammering on steel, cast iron, manhole cover, metal pipe struck, scaffolding pole, xylorimba of metal, "
        "hang drum, handpan, triangle, agogo, metallic percussion, boilers and pipes, gongs of java, industrial clang",
    "bowed metal":
        "bowed gong drone, bowing a metal sheet, musical saw, waterphone, bowed bronze, metal rubbed until it sings, "
        "superball on a tam-tam, scraped gong, singing metal, bowed iron rod, cymbal rubbed with a bow, "
        "metallic drone from a bow, aluminium rod stroked, bowed wire, rosined metal, bowed crotale, "
        "long bowed overtone, nail violin, daxophone, eerie metal swell",
    "bell":
        "chiming, church tower, chapel, jingle bells, cow bell, ringing bronze, wind chimes, glockenspiel, alarm bell, "
        "doorbell, bell tower, chimes, temple bells, clock tower chime, ding dong, ring of a bell, bronze bell, "
        "brass bell, ship's bell, temple bell, bell ringers, angelus, campanile, monastery bell, peal, knell, ding, "
        "tinkle, reception bell, glocken, wedding bells, singing bowl, celesta, music box",
    "glass":
        "crystal, wine glasses, glass marimba, bottle tapped, rubbing a wine glass, tinkling glass, chandelier, "
        "glass armonica, clink of glasses, cheers, glass jar, tumbler, ice in a glass, glassy, vial, crystal bowl, "
        "glasses touching, tapping a bottle, glass pane tapped, prism, light bulb, fragile tinkling, marbles, "
        "wind chime of glass, beaker, glass flute, snow globe, icicles, frozen, frost, ice crystals",
    "plucked string":
        "harpist, lyre, pizzicato cello, harpsichord, psaltery, dulcimer, pipa, shamisen, kora, plucked bass, oud, "
        "balalaika, plucked zither, harp glissando, guzheng, cimbalom, autoharp, celtic harp, plucked lyre, theorbo, "
        "santoor, kantele, qanun, mbira, kalimba, thumb piano, spinet, clavinet, cittern, string being plucked, "
        "jew's harp, bluegrass picking, raga",
    "bowed string":
        "violinist, cellist, contrabass, viola da gamba, string orchestra, strings legato, erhu, symphonic strings, "
        "chamber music, violin solo, violins, cellos, violas, strings, stradivarius, string trio, symphony orchestra, "
        "philharmonic, adagio for strings, bow on a string, nyckelharpa, gypsy violin, vivaldi, concerto for violin, "
        "tremolo violins, film score strings, orchestral swell, quartet playing slowly",
    "flute":
        "flutist, pan flute, bamboo flute, whistle, whistling, pipes, fife, bottle blown, native flute, flutes, "
        "flautist, quena, ney, dizi, panpipes, slide whistle, bird whistle, person whistling, woodwind solo airy, "
        "organ flute stop, blowing across a bottle, syrinx, shepherd's pipe, transverse flute",
    "choir":
        "chorus, singers, vocal ensemble, tenor, opera singer, monks, cathedral choir, madrigal, humming voices, "
        "angelic voices, boys choir, singing woman, song, psalm, choral music, church singing, a capella, vocal harmony, "
        "barbershop, people singing together, monastery, requiem, mass sung, alleluia, soprano voice, alto, bass singer, "
        "vocalise, women's voices, aria, cantata, lullaby, hymns, football crowd singing, crowd chanting, ooh, aah, "
        "throat singing, mantra",
    "drone":
        "sustained hum, ambient pad, shruti box, meditation hum, ominous hum, endless tone, dark ambience, "
        "space ambience, power line hum, transformer hum, tone that never ends, hovering, soundscape, continuous bass, "
        "tambura, buzzing hum of a fridge, refrigerator, air conditioner, harmonic drone, bourdon, pedal point, "
        "cinematic atmosphere, deep space, spaceship interior, eerie atmosphere, floating, hypnotic, trance, monotone, "
        "cosmic, nebula, void, haunted ambience, server room, om, mystic, horror atmosphere, eternity",
    "granular cloud":
        "grains of sound, microsound, particles, glitter, shimmering dust, sand, pebbles, scattered clicks, "
        "stuttering fragments, atomised sound, swarm, pulverised, sparkling dust, confetti of sound, beads, granulation, "
        "grain delay, shards of sound, speckles, twinkling, shimmer, sparkle, stars, fairy dust, glitch, glitches, "
        "fragments, popcorn, rice falling, scattering of points, pointillism, stochastic, xenakis, droplets of noise, "
        "digital dust, confetti, bubbles of sound, pixel, splinters of sound, flock of particles",
    "noise texture":
        "static, television static, hissing, radio static, snow on a television, fizz, spray, white noise machine, "
        "brown noise, steam, fuzz, sibilance, interference, noise, noisy, static electricity, hum and hiss, sssh, shhh, "
        "white, air leak, gas leak, spray can, frying, sizzle, waterfall of noise, radio between stations, dead channel, "
        "distortion noise, vinyl crackle, background noise, steam valve, shortwave, blue noise, sandstorm of noise, "
        "detuned television",
    "rumble":
        "earthquake, seismic, infrasound, underground trembling, low vibration, deep shaking, subway passing below, "
        "trembling ground, volcano, quaking, rumbling, shaking ground, deep bass, low frequency, sub bass, bass boom, "
        "deep trembling, magma, plate tectonics, heavy trucks far away, stampede, thudding below, groan of the earth, "
        "cinematic low end, quake, vibration, underground train",
    "drum":
        "drummer, percussion, kick, snare, tom, bass drum, conga, tabla, drum roll, drum kit, beat, kettledrum, "
        "war drums, tambourine, darbuka, drum machine, rhythm, drumming, drumbeat, drum loop, breakbeat, hip hop beat, "
        "techno kick, tribal drums, frame drum, surdo, cuica, dhol, mridangam, tympani, side drum, tom toms, "
        "rhythmic pounding, percussion ensemble, samba, snare roll, drum solo, thump, thud, steady beat, pulse",
    "cymbal":
        "crash cymbal, hi hat, ride, splash, china cymbal, brushes on a cymbal, open hat, cymbal swell, sizzle cymbal, "
        "brass plates, cymbals, gold cymbals, finger cymbals, zildjian, hihat, brush on metal, crashing cymbals, shaker, "
        "maracas, jazz ride pattern, closed hat, cymbal choke, splashy, rattle, tambourine jingle",
    "wood":
        "wooden, woodblock, knocking, temple block, vibraphone with wooden bars, bamboo, tapping on a desk, log drum, "
        "slit drum, rim shot, clapping sticks, clogs, knock, woodpecker, mallet percussion, wooden knock, "
        "coconut shells, guiro, wood chimes, temple blocks, tapping a wooden box, wooden spoon, hollow log, "
        "knock on the door, txalaparta, ratchet, hammering a nail, carpenter, bamboo chimes, sticks, drumsticks, "
        "rattling bamboo, amadinda, chopsticks, woodpile, wooden toy",
    "synth tone":
        "synthesiser, beep, electronic, sine wave, square wave, chiptune, arpeggio, laser, modular synth, blip, "
        "computer, robot, siren, alarm, ring tone, test tone, electronic music, sci-fi, acid bass, digital, synth, "
        "synthesizers, mellotron, minimoog, korg, roland, yamaha, ondes martenot, vocoder, electronic instrument, "
        "triangle wave, waveform, frequency modulation, ring modulation, electro, techno lead, trance lead, synthwave, "
        "eighties keyboard, arcade, gameboy, computer game sound, morse code, dial tone, phone ringing, telephone, "
        "notification, buzzer, radar, sonar, alien, ufo, android, signal, sweep of a filter, electronic zap, "
        "police siren, ambulance, alarm clock beeping, bleep",
    "piano":
        "pianist, keyboard, concert grand, sonata, electric piano, upright piano, piano keys, rhodes, ragtime, "
        "prepared piano, clavichord, pianos, piano solo, piano ballad, pianoforte, baby grand, bosendorfer, "
        "yamaha grand, chords on the keyboard, etude, waltz, mozart, beethoven, debussy, liszt, erik satie, jazz piano, "
        "boogie woogie, toy piano, bar piano, harpsichord and piano, minuet, prelude",
    "brass":
        "trumpeter, horns, cornet, french horn call, marching band, tuba player, car horn, foghorn, hunting horn, "
        "euphonium, big band, honk, didgeridoo, brass band, trumpets, trombones, horn section, mute trumpet, alphorn, "
        "sousaphone, military band, triumphal march, royal trumpets, mariachi, dixieland, vuvuzela, conch shell, shofar, "
        "hunting call, herald, wagner tuba, ship horn, truck horn, klaxon, traffic honking, reveille, jazz trumpet, "
        "miles davis",
    "organ":
        "organist, church organ, fugue, harmonica, bandoneon, concertina, melodeon, organ pipes, mass in church, "
        "reed organ, hurdy gurdy, bagpipes, organs, hymn on the organ, cathedral pipes, calliope, barrel organ, "
        "fairground organ, street organ, leslie speaker, rock organ, gospel organ, portative, bellows, musette, "
        "french accordion, tango, polka, sea shanty, blues harp, mouth organ, melodica",
    "water":
        "drip, dripping, tap, river, stream, creek, fountain, waterfall, bath, splash, underwater, puddle, bubble, "
        "gurgling, sink, toilet flush, diving, liquid, kettle, kettle boiling, watery, splashing, droplet, drops, "
        "rivulet, babbling, rapids, torrent, flowing, flow, trickle, spring water, aquarium, fish tank, bathtub, "
        "dishwashing, washing machine, sprinkler, canoe, oars, hot tub, jacuzzi, mud, slurp, drinking, soda, "
        "cave dripping, well, snorkel, submerged, drain, gutter, fountain in a square, rain barrel, flood, whirlpool",
    "rain":
        "raindrops, shower, drizzling, rainstorm, rain on a window, wet street, rain on leaves, cloudburst, rainy night, "
        "rainy, raining, rains, wet weather, raindrop, heavy showers, deluge, sprinkle, tropical rain, rain forest, "
        "rain on car roof, hail, sleet, thin rain, autumn rain, rain in the city, puddles in the rain, "
        "drops on the window",
    "thunder":
        "thunderbolt, electrical storm, thunderclap, stormy night, tempest, rolling storm, thundering sky, thunders, "
        "thunderous, thunderstorms, thundering, thundercloud, distant storm, violent storm, storm clouds, zeus, thor, "
        "electric storm, heavy weather, bolt from the sky, sky cracking, stormy, summer storm",
    "wind":
        "windy, gusts, breeze, storm wind, whistling wind, desert wind, arctic wind, blowing through trees, air, draft, "
        "tornado, rustling leaves, snowstorm, cold wind, windmill, winds, windstorm, gusty, gust, storm over the moor, "
        "cyclone, typhoon, mistral, sirocco, wind in the trees, wind in the grass, wind through a window, blustery, "
        "sandstorm, dust storm, north wind, zephyr, airflow, ventilation, fan blowing, flapping sail, flag in the wind, "
        "high altitude, tundra, antarctic",
    "sea":
        "ocean waves, seaside, shore, coast, waves, surf break, harbour, lapping waves, seashore, sea foam, atlantic, "
        "cliffs and waves, sailing, seas, oceanic, sea shore, wave, tidal, swell of the sea, high seas, coastal, "
        "pebble shore, bay, lagoon, reef, island, sailor, sailing boat, seawater, maritime, stormy sea, tsunami, baltic, "
        "mediterranean, surfing, dunes and waves, pier",
    "fire":
        "burning, fireplace, flame, embers, torch, blaze, wood fire, stove, crackle, furnace, match, burning house, "
        "sparks, lava, forest fire, fiery, fires, burn, burns, flaming, inferno, chimney fire, campfires, candle, "
        "torches, ember, ignite, lighter, kindling, log fire, brazier, wood burning, barbecue, grill, pyre, "
        "furnace roar, hell, crackles, gas flame, arson",
    "birds":
        "bird, blackbird, robin, owl, crow, gull, seagulls, pigeon, dove, rooster, hen, duck, goose, chirping, tweet, "
        "dawn chorus, parrot, eagle, songbird, raven, swallow, finch, chicken, forest at dawn, bird song, birds at dawn, "
        "chirp, chirps, twitter, twittering, warbler, thrush, starling, canary, lark, wren, woodland birds, "
        "jungle birds, hawk, falcon, heron, swan, geese, turkey, cockerel, hens, chick, peacock, magpie, jay, "
        "hummingbird, aviary, nest, flock of birds, seabird, albatross, penguin, ostrich, morning in the garden, "
        "spring morning, tropical birds, toucan, vulture",
    "insects":
        "insect, bee, bees, fly, flies, cricket, cicada, grasshopper, bug, hornet, beetle, buzzing, hive, "
        "summer night meadow, swarm of bees, crickets at night, katydid, bumblebee, honeybee, beehive, dragonfly, moth, "
        "gnat, midges, ants, termites, locusts, cicada chorus, buzz, buzz of a fly, summer evening, tropical night, "
        "swamp at night, frogs, frog, toads, spider, cockroach, mayfly, rainforest at night, beekeeper",
    "dog":
        "barking, bark, poodle, wolf, howl, wolves, coyote, growling dog, husky, whining dog, fox, kennel, bulldog, "
        "canine, dogs barking, barks, woof, yap, whimper, doggy, labrador, german shepherd, chihuahua, dachshund, "
        "beagle, retriever, pup, watchdog, guard dog, mutt, pack of dogs, dingo, jackal, wolf pack, werewolf, hyena, "
        "fox bark, dog whining, dog panting",
    "animal growl":
        "lion, beast, monster, roar, growl, snarl, cat, cow, horse, sheep, pig, elephant, wild animal, dinosaur, "
        "leopard, wolfman, zombie, gorilla, goat, jungle animal, meow, predator, creature in the dark, whale, cattle, "
        "panther, demon, farm animals, animal, animals, wildlife, lions, roaring, growling, snarling, hissing beast, "
        "ogre, troll, orc, godzilla, t-rex, raptor, alligator, crocodile, bull, ox, donkey, pony, stallion, pigs, boar, "
        "lamb, goats, camel, giraffe, rhino, hippo, ape, monkey, chimpanzee, cougar, jaguar, lynx, cheetah, puma, cats, "
        "purring, kitty, hamster, mouse, rat, bat, rabbit, deer, elk, moose, buffalo, zoo, safari, barn, farmyard, "
        "pasture, sea lion, seal, walrus, dolphin, orca, humpback, ghoul, vampire, devil, alien creature",
    "baby":
        "infant, crying child, cradle, sobbing, tears, nursery, wailing infant, child, crying, babies, infants, "
        "child crying, kid crying, little one, cradle song interrupted, crying at night, scream of a baby, babble, pram, "
        "pacifier, maternity ward, childbirth, colic, upset child, whining child",
    "sneeze":
        "achoo, sneezes, allergy, nose, a cold, sniffle, cough, coughing, flu, blowing one's nose, sneezed, sneezer, "
        "pollen, runny nose, sniff, catching a cold, influenza, ill person, pepper in the nose, dust allergy, "
        "handkerchief, bless you, throat clearing, hiccup",
    "clock":
        "tick, ticking, tick tock, wristwatch, timer, alarm clock ticking, stopwatch, clockwork, cogs, watch, gears, "
        "time, clocks, ticks, tick-tock, tock, wall clock, old clock, mantel clock, second hand, seconds, countdown, "
        "mechanical watch, watchmaker, wind-up toy, typewriter, ratchet clicks, geiger counter, sprocket, escapement, "
        "kitchen timer, hours, minute, clicking mechanism",
    "engine":
        "motor, car, truck, bus, motorbike, diesel, vehicle, machine, machinery, generator, train, boat, airplane, jet, "
        "aircraft, lawn mower, factory, traffic, highway, scooter, van, racing car, vacuum cleaner, propeller plane, "
        "steam engine, ship, engines, motors, cars, trucks, automobile, vehicles, ignition, exhaust, turbine, piston, "
        "locomotive, railway, train passing, tram, subway, metro, motorboat, speedboat, ferry, ship engine, outboard, "
        "plane, airliner, jet fighter, bulldozer, excavator, crane, forklift, harvester, combine, farm machine, harley, "
        "vespa, go kart, rally car, drag race, revving, acceleration, gearbox, taxi, ambulance engine, machine shop, "
        "loom, printing press, conveyor, compressor, pump, air conditioning unit, washing machine spinning, hair dryer, "
        "hoover, blender, coffee machine, robot motor, servo, elevator, escalator, drone quadcopter, steam locomotive, "
        "tank, submarine, power plant, road works, street traffic, motorway",
    "helicopter":
        "rotor, rotorcraft, helicopters, army helicopter, rescue helicopter, propeller, helicopter landing, heli, "
        "whirlybird, apache helicopter, black hawk, air ambulance, hovering aircraft, helipad, rotors, "
        "blades turning in the air, coast guard helicopter, news helicopter, gyrocopter",
    "chainsaw":
        "chain saw, sawmill, saw, buzz saw, circular saw, cutting trees, logging, power tool, drill, grinder, chainsaws, "
        "sawing, timber saw, felling trees, tree surgeon, woodcutter, hedge trimmer, brush cutter, electric saw cutting, "
        "table saw, jigsaw, angle grinder, dentist drill, power drill, jackhammer, leaf blower, string trimmer, sander, "
        "circular blade",
    "footsteps":
        "steps, walking, footfall, boots, shoes, someone approaching, jogging, sneakers, pacing, walking in snow, "
        "barefoot, gallop, hooves, stroll, footstep sounds, walk, walks, walker, tread, stomp, stomping, tiptoe, "
        "trudging, hike, hiker, slippers, sandals, clogs on stone, soldier's boots, army march, parade, crunching snow, "
        "crunching gravel, walking on leaves, horse hooves, trot, running away, runner, sprint, jog, dance steps, "
        "tap dance, steps on the floor above, intruder, corridor at night, staircase, prowler, crowd walking, skipping",
    "glass breaking":
        "smash a window, broken bottle, shatter, shattered, glass shards, breaking a mirror, broken plate, porcelain, "
        "crash of glass, smashing bottles, breaking dishes, crockery, break glass, glass shatters, glass smash, "
        "smashed window, shards, smashing glass, broken mirror, cracked glass, splintered glass, wine glass dropped, "
        "plates breaking, dishes crash, vandals, burglar breaks a window, greenhouse collapsing, windshield, "
        "ceramic smash, crash of crockery, breaking bottle, china shop",
    "wood breaking":
        "splitting wood, crack of timber, axe, chopping wood, broken stick, breaking furniture, twig snap, lumber, "
        "timber breaking, wood cracks, snap of a twig, broken wood, splinter, splinters, wood splitting, "
        "cracking timber, breaking branches, smashed crate, crushed box, woodchopper, axe blow, logs split, tree felled, "
        "fence breaking, shipwreck, mast cracking, door kicked in, broken furniture",
    "metal smash":
        "crashing metal, car accident, collision, junk, cutlery, chains, coins, keys, rattling cans, armour, "
        "sword clash, tin cans, falling scaffold, metal scrap, wreck, metallic crash, clatter, clattering, clash, "
        "clanking chains, falling metal, saucepan, pan lid, tin, can crushed, junkyard, silverware, forks and knives, "
        "toolbox, nuts and bolts, bolts, wrecking, train crash, crashing into a car, crumpled metal, knight's armour, "
        "swords, shield, sword fight, fencing, handcuffs, padlock, bicycle chain, coins dropped, slot machine, "
        "cash register, spoons, dumpster, shopping trolley, gun cocking, magazine loaded, reload",
    "rubble":
        "rocks, stones, avalanche, rockfall, bricks, concrete, demolition, gravel, boulder, crumbling, ruins, quarry, "
        "mining, dirt, tumbledown wall, debris falling, stone, stones rolling, gravel slide, rock slide, scree, "
        "earthfall, cave in, collapse, crumble, brickwork, masonry, wrecking ball, building demolition, "
        "concrete breaking, tiles falling, boulders, mine collapse, earthworks, digging, shovel, gravel truck, "
        "cobblestones, pebbles poured, sand slide, mud slide, plaster, crushed rock",
    "explosion":
        "gun, gunshot, pistol, shotgun, grenade, cannon fire, artillery, firework, detonation, boom, war, shooting, "
        "battle, missile, bang, bursting balloon, explode, exploding, explosions, explosive, blown up, blasts, bombs, "
        "bombing, air raid, nuclear, mine blast, mortar, cannonball, fireball, firecracker, fireworks display, "
        "new year's eve, guns, gunfire, machine gun, revolver, sniper, bullet, shots, gunfight, battlefield, warfare, "
        "rocket launch, tnt, c4, big bang, supernova, pop, burst, tyre bursting, eruption",
    "door":
        "creak, closing a door, slam, lock, wardrobe, drawer, cupboard, shutter, drawbridge, key in a lock, "
        "window opening, portal, doorway, doors, doorbell and door, front door, wooden door, car door, heavy door, "
        "dungeon door, cellar door, door knob, latch, bolt, door shut, shut, knocker, entrance, gateway, creaky, creaks, "
        "cabinet, fridge door, closet, trunk lid, window shutter, blinds, curtain, hatch, airlock, elevator door, "
        "prison door, vault, coffin lid, old floorboards, rusty hinges",
    "whoosh":
        "swoosh past, swing, flyby, passing by fast, woosh, sweep, transition, airy sweep, zoom, flying arrow, throw, "
        "rope swing, speeding past, whip, rocket passing, whooshing, swish, swooshing, swipe, air rush, rush of air, "
        "sonic sweep, fast pass, flying by, fly past, spaceship passing, lightsaber, sword slash, arrow shot, "
        "baseball bat, golf swing, frisbee, boomerang, jump, leap, spin, uplifter, riser effect, reverse cymbal, "
        "build up, trailer transition, ghost flying past, broom, magic spell, teleport, slingshot, javelin, swooping, "
        "falling through the air",
    "scrape":
        "scratch, screech, chalk, grinding, rubbing, rasp, file, friction on stone, zipper, squeak, scraping metal, "
        "writing with a pencil, hacksaw, scrapes, scratches, scraped, scratched, scratchy, scraping stone, "
        "squealing brakes, brakes, screeching tyres, skid, nail on metal, fork on a plate, knife sharpening, sharpen, "
        "saw a pipe, cut metal, sawing metal, grate, grinding teeth, gritty friction, plow, sliding a box, "
        "pushing furniture, rubbing hands, brush, sweeping, shovel on concrete, ice skates, skating, ski, sled, eraser, "
        "velcro, tearing, ripping paper, ripping cloth, crumpling paper, writing, pen",
    "guitar":
        "guitarist, electric guitar solo, riff, bass guitar, flamenco, slide guitar, fingerpicking, fender, rock guitar, "
        "folk guitar, guitars, guitar chords, guitar melody, spanish guitar, classical guitarist, gibson, les paul, "
        "stratocaster, power chords, heavy metal guitar, punk guitar, blues guitar, guitar lick, guitar solo, overdrive, "
        "fuzz guitar, wah, lap steel, pedal steel, banjo guitar, jimi hendrix, metallica, campfire guitar, "
        "twelve string, bass guitarist, slap bass, palm mute, plectrum, fretboard, tremolo guitar, surf guitar, "
        "country guitar",
    "reed":
        "woodwind, sax, alto saxophone, tenor sax, bass clarinet, oboist, english horn, bassoonist, clarinetist, "
        "jazz saxophone, double reed, duduk, reeds, saxophones, sax solo, bebop, charlie parker, smooth jazz, "
        "soprano sax, baritone sax, clarinets, basset horn, shawm, zurna, mey, crumhorn, contrabassoon, woodwinds, "
        "wind quintet, chanter, duduk melody, heckelphone, oboes, oboe concerto, bassoons",
    "male speech":
        "man, male voice, he says, a man's voice, gentleman, father, king, male speaker, news anchor man, boy talking, "
        "old man talking, preacher, his speech, man whispering, narrator, baritone voice, conversation of men, male, "
        "men, men talking, he, him, mister, sir, guy talking, fellow, dad, father speaking, uncle, boss, priest, pastor, "
        "judge, professor, teacher speaking, politician, president's speech, prime minister, newsreader, commentator, "
        "actor, monologue, poet reading, pilot announcement, deep male voice, bass voice, male storyteller, husband, "
        "soldier shouting, boy, prince, wizard, male robot voice, voice over, speech, talking, speaker, words, language, "
        "conversation, interview, podcast",
    "female speech":
        "woman, female voice, she says, a woman's voice, lady, grandmother, queen, female speaker, old woman talking, "
        "her speech, actress, lady announcing, conversation of women, mum, sister, female, women, women talking, she, "
        "her, madam, miss, lady talking, mum talking, aunt, wife, daughter, sister talking, nurse, stewardess, "
        "receptionist, waitress, princess, witch, actress speaking, high female voice, female storyteller, "
        "female newsreader, woman reading, woman laughing, girl, girlfriend, young woman, feminine voice, "
        "woman on the telephone, voice assistant, female robot voice, schoolgirl, granny, old lady",
    "feedback":
        "amplifier feedback, guitar feedback, feedback loop, ringing loudspeaker, mixer feedback, piercing squeal, "
        "resonating amplifier, feedback tone, feedback noise, feedback howl, audio loop, mic feedback, "
        "guitar amp feedback, amplifier howl, amplifier, loudspeaker, public address, shrill, screech of a microphone, "
        "self oscillation, self-oscillating filter, overloaded mixer, no input mixing, resonance building up, "
        "acoustic feedback, noise music, merzbow, whine, whining tone, tinnitus, ear piercing",
}.items()}
