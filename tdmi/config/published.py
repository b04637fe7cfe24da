"""A suite under the published protocol: each method with the settings of its authors.

The shared protocol, the default, trains all methods alike, so that their difference is theirs.
The published one takes a method's own options, recipe, crops, augmentation and inference, as far as
they are known, from the ``published`` block of its file, on the data and backbone of the suite.
Numbers of the two are never put into one table: the suite, its runs and its results get a name of
their own.
"""

from __future__ import annotations

from tdmi.config.section import Plain, merged
from tdmi.config.suite import Suite
from tdmi.core.errors import UserError

PARTS = ("crop", "augmentation", "inference")
"""Parts of a suite that a method may replace, key by key."""
OF_THE_MACHINE = (
    "precision", "devices", "workers", "log_every", "validate_every", "checkpoint_every",
)  # fmt: skip
"""Keys of a recipe that do not belong to a method and stay the suite's."""


def published(suite: Plain) -> Plain:
    """Return the suite with every method as its ``published`` block says.

    Methods start from the single-frame run of the suite itself, as they do there. The published
    options are all that a method gets: the suite's own options for it (often for its smaller
    maps) are left out. A method without a block keeps the suite's settings. Companions are left
    out: nothing is published about them.

    Raises:
        UserError: a suite that starts from another one's trained methods.
    """
    name = suite["suite"]
    if "base" in suite:
        raise UserError(
            f"suite {name}: starts from runs of {suite['base']}, expected one that starts from its "
            "own for the published protocol; use the shared protocol"
        )
    recipes, methods = dict(suite["recipes"]), dict(suite["methods"])
    for method, use in suite["methods"].items():
        if block := use.get("published"):
            block = merged(block, block.get("per_dataset", {}).get(suite["dataset"]["name"], {}))
            shared = suite["recipes"][use["recipe"]]
            kept = {key: shared[key] for key in OF_THE_MACHINE if key in shared}
            own = f"{method}_published"
            recipes[own] = kept | block["recipe"]
            parts = {part: suite[part] | block[part] for part in PARTS if part in block}
            methods[method] = use | parts | {"recipe": own, "options": block["options"]}
    changed = {
        "base": name,
        "title": f"{suite['title']}, published protocol",
        "recipes": recipes,
        "methods": methods,
    }
    return {key: value for key, value in suite.items() if key != "companions"} | changed


def settings_note(suite: Suite) -> str:
    """Say for captions whose settings are published and whose shared; empty if all are shared."""
    if suite.key.protocol != "published":
        return ""
    own = [use.label for use in suite.methods.values() if use.published]
    shared = [use.label for use in suite.methods.values() if not use.published]
    return (
        "Published protocol: methods differ in options, recipe, crops, augmentation and inference. "
        f"Published settings of their own: {', '.join(own) or 'none'}. "
        f"Settings of the shared protocol: {', '.join(shared) or 'none'}."
    )
