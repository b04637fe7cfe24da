"""Commands that stand in for `tdmi` and for SLURM's, so that the workflow runs in seconds."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

TDMI = """\
# `tdmi`: every command leaves the files that the workflow expects of it, and nothing in them.
case "$1 $2" in
  "data fetch") case $3 in posetrack17) touch "$5/acquired.json" ;;
                  *) mkdir -p "$5/$3" && touch "$5/$3/source.json" ;; esac ;;
  "data check") touch "$7" ;;
  "data prepare") mkdir -p "$5/prepared" && touch "$5/prepared/dataset.json" ;;
  "data weights") touch "$3" ;;
  "data mocap") touch "data/mocap_$4/dataset-$6.json" ;;
  "train --suite") suite=$3
    if [ "$4" = --grid ]; then suite=$3_$5; shift 2; fi
    run=runs/$suite/$5/seed$7 && mkdir -p "$run"
    {train} || exit 1
    for file in checkpoint.pt history.csv config.yaml cost.json provenance.json
    do touch "$run/$file"; done ;;
  *) echo "no stand-in for $*" >&2; exit 1 ;;
esac
"""
# Jobs run one after the other, at once. The first of the rule `train` hits its time limit.
SLURM = {
    "sbatch": """\
id=$(($(ls "$SLURM_LOG" | wc -l) + 1))
printf '%s\\n' "$@" > "$SLURM_LOG/$id"
state=COMPLETED
case "$*" in
  *rule_train*) [ -e "$SLURM_LOG.timeout" ] || state=TIMEOUT; touch "$SLURM_LOG.timeout" ;;
esac
for last in "$@"; do :; done
if [ $state = COMPLETED ]; then
  SLURM_JOB_ID=$id bash -c "${last#--wrap=}" > "$SLURM_LOG.$id.out" 2>&1 || state=FAILED
fi
echo "$id|$state" >> "$SLURM_LOG.states"
echo $id
""",
    "srun": """\
while [ "${1#-}" != "$1" ]; do shift; done
exec "$@"
""",
    "sacct": 'cat "$SLURM_LOG.states"\n',
    "sinfo": "echo 'PARTITION gpus*'\n",
    "sshare": "echo me\n",
}


def command(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def stand_in_tdmi(folder: Path, train: str = ":") -> None:
    """`train`: what a training does, in bash; $5 is the method, $run its folder."""
    command(folder, "tdmi", TDMI.replace("{train}", train))


def stand_in_slurm(folder: Path) -> None:
    for name, script in SLURM.items():
        command(folder, name, script)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The commands of `folder` come first, then those beside this interpreter."""
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"} | more
