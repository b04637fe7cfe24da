"""Fill a method from a file of published weights, strictly, and report the fate of each name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tdmi.checkpoints.families import Conversion, convert
from tdmi.checkpoints.heads import map_head
from tdmi.checkpoints.reading import read_published
from tdmi.config.training import HeadMapping
from tdmi.core.checks import build
from tdmi.core.errors import UserError
from tdmi.data.skeletons import Skeleton
from tdmi.models.hrnet import HRNet
from tdmi.models.method import Backbone, PoseMethod, misfits
from tdmi.models.resnet import BLOCKS, PoseResNet


@dataclass
class Report:
    """The fate of every name of a file and of the model.

    `matched`: names taken over as they are. `converted`: the file's name and ours, for tensors
    taken over under another name. `missing`: our names that keep their initial values, with the
    reason. `unused`: the file's names that are left out, with the reason. `notes`: lines on
    backbone and head.
    """

    family: str
    matched: list[str] = field(default_factory=list)
    converted: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Several lines; names with the same first part and reason are counted together."""
        lines = [f"weights of {self.family}", *self.notes, f"matched {len(self.matched)}"]
        lines.append(f"converted {len(self.converted)}")
        parts = Counter(
            (theirs.split(".")[0], ours.split(".")[0]) for theirs, ours in self.converted.items()
        )
        lines += [f"  {theirs} -> {ours} ({count})" for (theirs, ours), count in parts.items()]
        for title, names in (("missing", self.missing), ("unused", self.unused)):
            lines.append(f"{title} {len(names)}")
            parts = Counter((name.split(".")[0], reason) for name, reason in names.items())
            lines += [f"  {part} ({count}): {reason}" for (part, reason), count in parts.items()]
        return "\n".join(lines)


def load_published(
    path: Path,
    method: PoseMethod,
    skeleton: Skeleton,
    head_mapping: HeadMapping = "by_joint_name",
    whole: bool = False,
) -> Report:
    """Take over trunk and head of a file, or with `whole` its whole model, into `method`.

    The family is recognised by the names. Every name and shape must fit, or nothing is loaded;
    what a family never has (a classifier: pose head and deconvolutions) keeps the method's initial
    values. For the head see `map_head`; with `whole` it stays as it is in the file.

    UserError: as `read_published`, or weights that do not fit, with a list of what does not.
    """
    state = read_published(path)
    with _naming(path):
        conversion = convert(state)
        tensors, report = _compare(conversion, method, whole)
        if not whole and conversion.family.joints is not None:
            head = {name: value for name, value in tensors.items() if name.startswith("head.")}
            mapped, anew = map_head(
                head, conversion.family.joints, method.state_dict(), skeleton, head_mapping
            )
            tensors |= mapped
            initial = f", except {', '.join(anew)}, which begin as drawn" if anew else ""
            report.notes.append(f"head: {head_mapping}, all joints taken over{initial}")
    method.load_state_dict({**method.state_dict(), **tensors})
    return report


def inspect_published(path: Path) -> Report:
    """Compare a file's trunk and head with the backbone that its own shapes describe.

    UserError: as `load_published`; so a trunk with holes is found without any suite.
    """
    state = read_published(path)
    with _naming(path):
        conversion = convert(state)
        with torch.device("meta"):
            backbone, options = _described_backbone(conversion)
            method = PoseMethod(backbone, window=(0,))
        _, report = _compare(conversion, method, whole=False)
    shown = ", ".join(f"{key}: {value}" for key, value in options.items())
    report.notes.append(f"backbone: {{ {shown} }}")
    if conversion.family.joints is not None:
        report.notes.append(f"head: {len(conversion.tensors['head.bias'])} channels")
    return report


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors inside begin with the file's name."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _compare(
    conversion: Conversion, method: PoseMethod, whole: bool
) -> tuple[dict[str, Tensor], Report]:
    """Tensors that `method` can take over, by its own names, and what becomes of all others.

    The number of the head's channels is not compared unless `whole`: which channel is which joint
    is decided later.
    """
    family = conversion.family
    if not isinstance(method.backbone, family.backbone):
        raise UserError(
            f"found weights of {family.title} with the trunk {family.backbone.__name__}, expected "
            f"the trunk {type(method.backbone).__name__}, the method's backbone"
        )
    report = Report(family.title, unused=dict(conversion.unused))
    parts = ("",) if whole else ("backbone.", "head.")
    own = {name: value for name, value in method.state_dict().items() if name.startswith(parts)}
    tensors = {name: v for name, v in conversion.tensors.items() if name.startswith(parts)}
    for name, theirs in conversion.origin.items():
        if name not in tensors:
            report.unused[theirs] = f"{family.title}'s own, taken over by start_whole"
    for name in own:
        if name in tensors:
            continue
        if name.startswith(family.absent):
            report.missing[name] = f"not in files of {family.title}, keeps its initial values"
        elif name.endswith("num_batches_tracked"):
            report.missing[name] = "not in files of old PyTorch, keeps its initial value"
    expected = {name: value for name, value in own.items() if name not in report.missing}
    if not whole:
        expected |= {n: v for n, v in tensors.items() if n in expected and n.startswith("head.")}
    if faults := misfits(expected, tensors):
        wanted = (
            f"the whole model of {type(method).__name__} with its options"
            if whole
            else "every part of the backbone and its head"
        )
        raise UserError(f"found weights of {family.title} with {faults}; expected {wanted}")
    report.matched = [name for name in tensors if conversion.origin[name] == name]
    report.converted = {
        theirs: name for name in tensors if (theirs := conversion.origin[name]) != name
    }
    return tensors, report


def _described_backbone(conversion: Conversion) -> tuple[Backbone, dict[str, object]]:
    """An untrained backbone of a file's size, and its options as a suite's `backbone` takes them.

    UserError: a file without the layers that tell the size, or of no size that there is.
    """
    tensors = conversion.tensors
    options: dict[str, object]
    if conversion.family.backbone is PoseResNet:
        blocks = tuple(_count(tensors, rf"backbone\.layer{i}\.(\d+)\.") for i in (1, 2, 3, 4))
        layers = next((layers for layers, counts in BLOCKS.items() if counts == blocks), None)
        if layers is None:
            raise UserError(
                f"found a ResNet of {blocks} blocks, expected one of "
                f"{', '.join(f'{layers}: {counts}' for layers, counts in BLOCKS.items())}"
            )
        options = {"layers": layers, "width": _channels(tensors, "backbone.conv1.weight")}
        return build("backbone", PoseResNet, options), {"kind": "resnet", **options}
    last = _count(tensors, r"backbone\.stage(\d)\.") - 1
    options = {
        "width": _channels(tensors, "backbone.stage2.0.branches.0.0.conv1.weight"),
        "stages": last,
        "modules": [_count(tensors, rf"backbone\.stage{s}\.(\d+)\.") for s in range(2, last + 1)],
        "blocks": _count(tensors, r"backbone\.stage2\.0\.branches\.0\.(\d+)\."),
        "stem_width": _channels(tensors, "backbone.conv1.weight"),
        "stem_blocks": _count(tensors, r"backbone\.layer1\.(\d+)\."),
    }
    return build("backbone", HRNet, options), options


def _count(names: Iterable[str], pattern: str) -> int:
    """One more than the largest number that `pattern` finds; holes show in the comparison."""
    return 1 + max((int(n[1]) for name in names if (n := re.match(pattern, name))), default=-1)


def _channels(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors:
        raise UserError(f"found no {name}, expected a whole trunk")
    return len(tensors[name])
