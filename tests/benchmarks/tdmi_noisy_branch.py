"""Time saved by leaving the noisy branch out of inference, where outputs stay equal to the bit.

    python tests/benchmarks/tdmi_noisy_branch.py OUT

OUT gets `tdmi_noisy_branch.csv`, `.svg` and `.png`, a row per gate and extent: the disentanglement
module alone at the size of the paper (48 channels, 96x72) and the whole method at the size of the
embedded suite (width 16, 64x48, batch 16). Both ways run in turn in inference mode; times are
medians of processor time. At the size of the paper the whole method takes seconds and saves the
milliseconds of the module alone, too few to measure there.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from benchmark_figures import bars, machine
from timing import in_turn

from tdmi.models.disentanglement import Disentanglement
from tdmi.models.hrnet import HRNet
from tdmi.models.tdmi import TDMI


def medians(ways: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Return the median processor time of each way in ms, called in turn."""
    return {way: 1e3 * statistics.median(found) for way, found in in_turn(ways, rounds).items()}


def module_alone(gate: str, rounds: int) -> tuple[dict[str, float], bool]:
    gates, motion = Disentanglement(48, gate), torch.rand(1, 48, 96, 72)
    ways = {"with_ms": lambda: gates(motion), "without_ms": lambda: gates(motion, noisy=False)}
    same = torch.equal(*(way().useful for way in ways.values()))
    return medians(ways, rounds), same


def whole_method(gate: str, rounds: int) -> tuple[dict[str, float], bool]:
    backbone = HRNet(16, stages=3, modules=(1, 1), blocks=2, stem_width=16, stem_blocks=1)
    method = TDMI(backbone, disentanglement={"gate": gate, "hidden": 32}).eval()
    method.to(memory_format=torch.channels_last)
    frames, offsets = torch.randn(16, 5, 3, 64, 48), torch.tensor([[-2, -1, 0, 1, 2]] * 16)
    split = method.disentanglement.forward

    def heatmaps(noisy: bool) -> torch.Tensor:
        method.disentanglement.forward = lambda motion, **_: split(motion, noisy=noisy)
        return method(frames, offsets).heatmaps

    ways = {"with_ms": lambda: heatmaps(True), "without_ms": lambda: heatmaps(False)}
    same = torch.equal(*(way() for way in ways.values()))
    return medians(ways, rounds), same


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=300)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for extent, measure, rounds in (
        ("module alone", module_alone, args.rounds),
        ("whole method", whole_method, args.rounds // 4),
    ):
        for gate in ("channel", "spatial"):
            times, same = measure(gate, rounds)
            ratio = times["without_ms"] / times["with_ms"]
            with_, without = (f"{times[way]:.3g}" for way in ("with_ms", "without_ms"))
            case = f"{extent}, gate {gate}: {with_} ms, without {without} ms"
            row = {"case": case, **times, "ratio": ratio, "same_output": same}
            rows.append(row | {"machine": machine()})
            print(row)
    panels = [("ratio", "Time without the noisy branch over time with it", 1.0)]
    bars(pd.DataFrame(rows), "case", panels, args.out, "tdmi_noisy_branch")


if __name__ == "__main__":
    main()
