"""What the preview engine reads in a prompt: a motif, a place and a light."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final


def _table(text: str) -> Mapping[str, str]:
    return {
        word: name
        for line in text.strip().splitlines()
        for name, _, words in [line.strip().partition(":")]
        for word in (name, *words.split())
    }


_MOTIFS: Final = _table("""
    fox: vixen
    wolf: husky coyote jackal
    dog: puppy hound corgi terrier
    cat: kitten lynx panther
    rabbit: hare bunny mouse kangaroo
    bear: panda koala badger
    deer: stag elk moose reindeer antelope goat
    horse: pony donkey zebra unicorn cow
    lion: lioness
    tiger: leopard cheetah jaguar
    raccoon: squirrel otter
    owl: owls
    bird: robin sparrow eagle hawk raven crow falcon parrot heron
    penguin: puffin
    duck: goose swan
    whale: dolphin shark orca
    fish: koi salmon carp trout
    butterfly: moth dragonfly bee
    tree: oak willow bonsai maple
    pine: fir spruce cedar
    house: cabin cottage hut barn home church houses
    lighthouse: tower beacon windmill
    castle: palace fortress temple cathedral
    boat: ship sailboat sailing yacht vessel
    flower: rose lotus sunflower tulip peony dahlia daisy
    balloon: airship
    figure: man woman person portrait girl boy child wizard knight samurai dancer traveller wanderer hand
    robot: android machine astronaut
    rocket: spaceship spacecraft
    car: truck van taxi bus
    cup: teapot mug tea coffee kettle bottle
    crystal: gem diamond ice
    planet: moon saturn
    arch: door gate portal
    totem: stones
    sprig: plant leaf leaves fern
""")
_LIVING: Final = frozenset(
    """fox wolf dog cat rabbit bear deer horse lion tiger raccoon owl bird penguin duck whale fish butterfly
    figure""".split()
)
_ABSTRACT: Final = ("crystal", "planet", "arch", "totem", "sprig", "flower", "balloon")

_PLACES: Final = _table("""
    hills: hill countryside valley vineyard
    meadow: field grass grassland prairie garden park spring
    mountains: mountain alps peak peaks cliff cliffs
    sea: ocean beach coast harbour harbor lake river shore island water waves pond
    forest: woods woodland jungle grove
    city: street town skyline alley tokyo paris downtown village
    tundra: snow snowy winter arctic glacier snowfield
    desert: dunes dune sahara
    canyon: mesa badlands mars
    space: galaxy cosmos stars
""")
_SNOW: Final = frozenset("snow snowy snowing blizzard tundra winter arctic".split())
_SMALL: Final = frozenset("a an the of in on at by with and or to from for is its light".split())
_MOST_STEPS: Final = 3.0

_PLACE_NAMES: Final = ("hills", "meadow", "mountains", "sea", "forest", "desert")

_LIGHTS: Final = _table("""
    dawn: morning sunrise
    noon: day daylight midday sunny sunlight natural
    dusk: sunset evening golden twilight
    night: midnight moonlight moonlit dark starry
    rain: rainy storm stormy thunderstorm monsoon
    fog: foggy mist misty haze cloudy overcast
""")
_LIGHT_NAMES: Final = ("dawn", "noon", "dusk", "night")


@dataclass(frozen=True, slots=True)
class Idea:
    """A prompt as the engine understands it.

    `motif`, `place` and `light` decide the composition together with the seed. Every other word shades it a
    step further, in hue and lightness, in a direction of its own: `nuance` is where that leads. So each word
    shows, and a LoRA's trigger does not throw the picture over.
    """

    motif: str
    place: str
    light: str
    nuance: tuple[float, float]
    snow: bool
    tint: str | None

    @property
    def palette(self) -> str:
        """Name of the ramp: the light's, unless it is plain day or there is none; then the place's."""
        if self.place == "space":
            return "space"
        return self.light if self.light in ("night", "dusk", "rain", "fog", "dawn") else self.place


_TINTS: Final = _table("""
    red: scarlet crimson vermilion
    orange: amber copper
    yellow: golden gold
    green: emerald
    blue: azure indigo
    purple: violet
    pink: magenta
    white: pale silver
    black: ebony
    brown: chestnut
    grey: gray
""")


def read_idea(prompt: str) -> Idea:
    """Read a prompt. What it does not name is chosen by a hash of its words, the same one for ever."""
    words = re.findall(r"[^\W_]+", prompt.lower())
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    # Living things first: a barn owl is an owl, and a fox by a cabin is about the fox.
    motif = min(_found(words, _MOTIFS), key=lambda name: name not in _LIVING, default=None)
    place = next(_found(words, _PLACES), None)
    light = next(_found(words, _LIGHTS), None)
    if light is None and place == "space":
        light = "night"
    # Hashes of the recognised words only, where there are any: a new trigger word keeps place and light.
    kept = "".join(name for name in (motif, place, light) if name) or " ".join(words)
    choice = hashlib.sha256(kept.encode()).digest()
    return Idea(
        motif=motif or _ABSTRACT[digest[0] % len(_ABSTRACT)],
        place=place or _PLACE_NAMES[choice[1] % len(_PLACE_NAMES)],
        light=light or _LIGHT_NAMES[choice[2] % len(_LIGHT_NAMES)],
        nuance=_nuance(words),
        snow=any(word in _SNOW for word in words),
        tint=_tint(words),
    )


def _nuance(words: list[str]) -> tuple[float, float]:
    """Add up the steps of the words that mean nothing else here; many of them lead no further than a few."""
    across = up = 0.0
    for word in dict.fromkeys(words):
        if word in _SMALL or word in _SNOW or word in _TINTS or _is_known(word):
            continue
        angle = 2 * math.pi * int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) / 2**32
        across, up = across + math.cos(angle), up + math.sin(angle)
    far = math.hypot(across, up)
    scale = 1 if far <= _MOST_STEPS else _MOST_STEPS / far
    # In exact steps: another machine's last bit is another picture's byte.
    return round(across * scale, 3), round(up * scale, 3)


def _is_known(word: str) -> bool:
    return any(True for table in (_MOTIFS, _PLACES, _LIGHTS) for _ in _found([word], table))


def _tint(words: list[str]) -> str | None:
    """Find the colour a motif is said to have: the word just before it. A red fox is orange as it is."""
    for colour, thing in pairwise(words):
        motif, tint = next(_found([thing], _MOTIFS), None), _TINTS.get(colour)
        if motif and tint and (motif, tint) != ("fox", "red"):
            return tint
    return None


def _found(words: list[str], table: Mapping[str, str]) -> Iterator[str]:
    for word in words:
        name = table.get(word) or (table.get(word[:-1]) if word.endswith("s") else None)
        if name:
            yield name
