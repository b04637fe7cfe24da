"""Decoding heatmaps and making targets, against the official code's loops over joints.

    python tests/benchmarks/heatmaps.py [--samples 1000] [--repeats 7] [--threads 2]

Prints a table: fastest and median wall time, processor time, and what part of the memory's speed a
decoder reaches. The loops are written anew after the description in
tests/golden/processing/README.md. Decoding cannot be faster than reading its input once, so the
time of a plain sum over the same memory is the first row.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tdmi.clips.targets import decode, encode

JOINTS, HEIGHT, WIDTH, STRIDE, SIGMA = 17, 96, 72, 4, 3
BATCH = 24
"""Samples of one call that makes targets: as many as a step of the full-scale suites has."""


def loop_decode(heatmaps: np.ndarray) -> np.ndarray:
    """Maxima of all maps at once, then the quarter offset joint by joint."""
    n, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(n, joints, -1)
    index = np.argmax(flat, 2).reshape(n, joints, 1)
    highest = np.amax(flat, 2).reshape(n, joints, 1)
    found = np.tile(index, (1, 1, 2)).astype(np.float32)
    found[..., 0] = found[..., 0] % width
    found[..., 1] = np.floor(found[..., 1] / width)
    found *= np.tile(np.greater(highest, 0.0), (1, 1, 2)).astype(np.float32)
    for i in range(n):
        for j in range(joints):
            one = heatmaps[i][j]
            x, y = int(np.floor(found[i][j][0] + 0.5)), int(np.floor(found[i][j][1] + 0.5))
            if 1 < x < width - 1 and 1 < y < height - 1:
                slope = np.array([one[y][x + 1] - one[y][x - 1], one[y + 1][x] - one[y - 1][x]])
                found[i][j] += np.sign(slope) * 0.25
    return found


def loop_target(joints: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One sample, joints [J, 2] in crop pixels: a Gaussian patch for each joint."""
    image_size = np.array([WIDTH * STRIDE, HEIGHT * STRIDE])
    heatmap_size = np.array([WIDTH, HEIGHT])
    weight = np.ones((JOINTS, 1), dtype=np.float32)
    weight[:, 0] = visible
    target = np.zeros((JOINTS, HEIGHT, WIDTH), dtype=np.float32)
    reach = SIGMA * 3
    for j in range(JOINTS):
        stride = image_size / heatmap_size
        x, y = int(joints[j][0] / stride[0] + 0.5), int(joints[j][1] / stride[1] + 0.5)
        low, high = [int(x - reach), int(y - reach)], [int(x + reach + 1), int(y + reach + 1)]
        if low[0] >= WIDTH or low[1] >= HEIGHT or high[0] < 0 or high[1] < 0:
            weight[j] = 0
            continue
        size = 2 * reach + 1
        across = np.arange(0, size, 1, np.float32)
        down = across[:, np.newaxis]
        middle = size // 2
        patch = np.exp(-((across - middle) ** 2 + (down - middle) ** 2) / (2 * SIGMA**2))
        patch_x = max(0, -low[0]), min(high[0], WIDTH) - low[0]
        patch_y = max(0, -low[1]), min(high[1], HEIGHT) - low[1]
        map_x = max(0, low[0]), min(high[0], WIDTH)
        map_y = max(0, low[1]), min(high[1], HEIGHT)
        if weight[j] > 0.5:
            target[j][map_y[0] : map_y[1], map_x[0] : map_x[1]] = patch[
                patch_y[0] : patch_y[1], patch_x[0] : patch_x[1]
            ]
    return target, weight


def loop_targets(joints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """A batch [N, J, h, w], as the official loaders put it together from samples."""
    return np.stack([loop_target(*sample)[0] for sample in zip(joints, visible, strict=True)])


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Fastest wall time, median wall time, least processor time, all in milliseconds."""
    walls, processor = [], []
    for _ in range(repeats):
        wall, own = time.perf_counter(), time.process_time()
        work()
        walls.append(1e3 * (time.perf_counter() - wall))
        processor.append(1e3 * (time.process_time() - own))
    return min(walls), statistics.median(walls), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    n, threads = arguments.samples, arguments.threads

    generator = np.random.default_rng(0)
    joints = generator.uniform(0, (WIDTH * STRIDE, HEIGHT * STRIDE), (n, JOINTS, 2))
    visible = np.ones((n, JOINTS), bool)
    maps = 0.05 * generator.standard_normal((n, JOINTS, HEIGHT, WIDTH), dtype=np.float32)
    maps += encode(joints / STRIDE, visible, (HEIGHT, WIDTH), SIGMA)[0]

    def shared_sum() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(np.sum, np.array_split(maps, threads)))

    def batches(make: Callable[[np.ndarray, np.ndarray], object]) -> Callable[[], None]:
        def work() -> None:
            for k in range(0, n, BATCH):
                make(joints[k : k + BATCH], visible[k : k + BATCH])

        return work

    def ours(centre: str) -> Callable[[np.ndarray, np.ndarray], object]:
        return lambda points, there: encode(points / STRIDE, there, (HEIGHT, WIDTH), SIGMA, centre)

    few = slice(0, BATCH)
    assert np.array_equal(decode(maps[few], "quarter")[0], loop_decode(maps[few]))
    wanted = loop_targets(joints[few], visible[few])
    assert np.abs(ours("rounded")(joints[few], visible[few])[0] - wanted).max() < 1e-6

    rows = {
        "read: sum": maps.sum,
        f"read: sum, {threads} threads": shared_sum,
        "decode: official loop": lambda: loop_decode(maps),
    }
    for method in ("argmax", "quarter", "dark"):
        rows[f"decode: {method}"] = lambda method=method: decode(maps, method)
        rows[f"decode: {method}, {threads} threads"] = lambda method=method: decode(
            maps, method, threads=threads
        )
    rows |= {
        "targets: official loop, samples": batches(
            lambda points, there: [loop_target(*s) for s in zip(points, there, strict=True)]
        ),
        "targets: official loop, batches": batches(loop_targets),
        "targets: rounded, batches": batches(ours("rounded")),
        "targets: subpixel, batches": batches(ours("subpixel")),
    }
    print(f"{n} samples of {JOINTS}x{HEIGHT}x{WIDTH}, {maps.nbytes / 1e6:.0f} MB of float32\n")
    print("| what | fastest, ms | median, ms | processor, ms | GB/s at the fastest |")
    print("|---|---|---|---|---|")
    for name, work in rows.items():
        loop = "loop" in name
        fastest, median, processor = timed(work, 2 if loop else arguments.repeats)
        rate = "" if "targets" in name else f"{maps.nbytes / 1e6 / fastest:.1f}"
        print(f"| {name} | {fastest:.1f} | {median:.1f} | {processor:.1f} | {rate} |", flush=True)


if __name__ == "__main__":
    main()
