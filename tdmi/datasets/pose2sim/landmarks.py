"""The landmarks that are kept of the pose model's 33, in the model's order."""

LANDMARKS = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8, "left_mouth": 9,
    "right_mouth": 10, "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13,
    "right_elbow": 14, "left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24,
    "left_knee": 25, "right_knee": 26, "left_ankle": 27, "right_ankle": 28,
}  # fmt: skip
"""Position of each landmark in MediaPipe's list."""

NAMES = tuple(LANDMARKS)

_OTHER_SIDE = {"left": "right", "right": "left"}
MIRRORED = [
    NAMES.index("_".join(_OTHER_SIDE.get(word, word) for word in name.split("_"))) for name in NAMES
]
"""Where each landmark is found in the answer to a mirrored picture."""
