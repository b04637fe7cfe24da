"""The four public data sets: acquire, check, prepare."""

NAMES = ("posetrack17", "posetrack18", "posetrack21", "hieve")
