"""Damage a file the way real files are damaged, repeatably: one seed, one damaged file.

Readers of every format are run on such files: they may refuse with one clear line or read
tolerantly, and must never fail otherwise.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e308, 10**40, -(10**40), 2**63, float("nan"), float("inf"),
    0.5, "", "7", "text", "\u0000", "../../etc/passwd", "\U0001f3c3", [], {}, [[]], [{}], [None],
    {"x": [1]}, [1, 2, 3],
)  # fmt: skip


def mutated_json(document: Any, seed: int) -> bytes:
    """JSON text of `document` after one to three random changes."""
    rng = random.Random(seed)
    content = json.loads(json.dumps(document))
    for _ in range(rng.randint(1, 3)):
        content = _changed(content, rng)
    data = json.dumps(content, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return mutated_bytes(data, rng.randrange(2**32)) if rng.random() < 0.3 else data


def mutated_bytes(data: bytes, seed: int) -> bytes:
    """`data` cut off, with bytes changed, doubled or removed, or in another encoding."""
    rng = random.Random(seed)
    kind = rng.choice(("cut", "flip", "remove", "double", "encoding", "empty", "tail"))
    if not data or kind == "empty":
        return b""
    place = rng.randrange(len(data))
    length = rng.choice((1, 1, 2, 8, 64))
    if kind == "cut":
        return data[:place]
    if kind == "remove":
        return data[:place] + data[place + length :]
    if kind == "double":
        return data[: place + length] + data[place:]
    if kind == "flip":
        noise = bytes(rng.randrange(256) for _ in range(length))
        return data[:place] + noise + data[place + length :]
    if kind == "tail":
        return data + bytes(rng.randrange(256) for _ in range(length))
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037")), "replace")


def _odd(rng: random.Random) -> Any:
    # A copy: a later change of the same file may reach into it.
    return copy.deepcopy(rng.choice(ODD_VALUES))


def _changed(content: Any, rng: random.Random) -> Any:
    """One change at a random place: every container is as likely as its share of all."""
    holders = list(_containers(content))
    if not holders:
        return _odd(rng)
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    action = rng.choice(("delete", "odd", "odd", "wrap", "unwrap", "double"))
    if action == "delete":
        del holder[key]
    elif action == "wrap":
        holder[key] = rng.choice(([holder[key]], {"value": holder[key]}))
    elif action == "unwrap" and isinstance(holder[key], list) and holder[key]:
        holder[key] = holder[key][0]
    elif action == "double" and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    else:
        holder[key] = _odd(rng)
    return content


def _containers(content: Any) -> Any:
    """Every non-empty list and object; deep ones are many, so shallow ones come more than once."""
    stack = [(content, 0)]
    while stack:
        value, depth = stack.pop()
        if isinstance(value, list | dict) and value:
            for _ in range(max(1, 12 - 3 * depth)):
                yield value
            children = value.values() if isinstance(value, dict) else value
            stack.extend((child, depth + 1) for child in children)
