"""Sample build, clothes and colours of people."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from tdmi.datasets.mocap.kinematics import LENGTHS

Colour = tuple[float, float, float]
"""Blue, green, red, each 0..255, as OpenCV draws."""

# Ranges of the data set's own clothes; hues are spread evenly so that people stand out.
SKIN = ((0.07, 0.30, 0.93), (0.06, 0.38, 0.82), (0.06, 0.48, 0.66), (0.05, 0.52, 0.45))
HAIR = ((0.07, 0.5, 0.12), (0.07, 0.6, 0.3), (0.11, 0.55, 0.72), (0.04, 0.7, 0.42), (0, 0, 0.6))
TROUSERS = ((0.62, 0.55, 0.32), (0.6, 0.35, 0.5), (0.1, 0.3, 0.6), (0, 0, 0.16), (0, 0, 0.8))
LIMBS = {
    "elbow": "arm", "wrist": "arm", "hand": "arm", "knee": "leg", "ankle": "leg", "toe": "leg",
    "chest": "trunk", "neck": "trunk", "shoulder": "trunk",
}  # fmt: skip
"""Bones, by their far ends, whose lengths vary together."""


@dataclass(frozen=True)
class Build:
    """Sizes of one person relative to the reference figure."""

    scale: dict[str, float]  # Bone length factor by the bone's far point
    girth: float  # Factor on all thicknesses


@dataclass(frozen=True)
class Outfit:
    """Colours and cut of one person's clothes."""

    skin: Colour
    hair: Colour
    shirt: Colour
    chest_print: Colour
    print_style: str
    """`band`, `emblem` or `open` (an open jacket); it is on the chest alone, so that it shows front
    from back."""
    trousers: Colour
    shoes: Colour
    long_sleeves: bool
    legs: str  # `long`, `short` or `skirt`
    long_hair: bool


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour of hue, saturation, value in 0..1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return (255 * blue, 255 * green, 255 * red)


def shade(colour: Colour, factor: float) -> Colour:
    return factor * colour[0], factor * colour[1], factor * colour[2]


def sample_build(rng: np.random.Generator) -> Build:
    """A person between 0.9 and 1.1 of the reference height, limbs a little out of proportion."""
    stature = rng.uniform(0.9, 1.1)
    part = {name: rng.uniform(0.95, 1.05) for name in ("arm", "leg", "trunk")}
    scale = {}
    for name in LENGTHS:
        joint = name.split("_")[-1]
        if joint in LIMBS:
            factor = stature * part[LIMBS[joint]]
        else:  # heads vary less than bodies
            factor = stature**0.5 if joint in ("head", "top", "nose") else stature
        scale[name] = factor
    return Build(scale, girth=stature * rng.uniform(0.85, 1.2))


def sample_outfit(rng: np.random.Generator) -> Outfit:
    """Clothes that stand out from the muted backgrounds."""
    skin, hair = SKIN[rng.integers(len(SKIN))], HAIR[rng.integers(len(HAIR))]
    hue = rng.uniform()
    if rng.uniform() < 0.8:
        shirt = hsv(hue, rng.uniform(0.55, 0.9), rng.uniform(0.6, 0.95))
    else:
        shirt = hsv(hue, rng.uniform(0.0, 0.12), rng.uniform(0.88, 1.0))
    print_value = rng.choice([0.15, 0.98])
    if rng.uniform() < 0.75:
        trousers = hsv(*TROUSERS[rng.integers(len(TROUSERS))])
    else:
        trousers = hsv(hue + rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.8))
    return Outfit(
        skin=hsv(*skin),
        hair=hsv(*hair),
        shirt=shirt,
        chest_print=hsv(hue + 0.5, rng.uniform(0.0, 0.5), print_value),
        print_style=str(rng.choice(["band", "emblem", "open"])),
        trousers=trousers,
        shoes=hsv(rng.uniform(), rng.uniform(0.0, 0.7), rng.choice([0.12, 0.55, 0.95])),
        long_sleeves=bool(rng.uniform() < 0.45),
        legs=str(rng.choice(["long", "short", "skirt"], p=[0.55, 0.3, 0.15])),
        long_hair=bool(rng.uniform() < 0.35),
    )
