"""Write predictions for the 13 test videos as one zip for the HiEve server."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--predictions", type=Path, required=True, metavar="DIR", help="20.json to 32.json"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip")


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from tdmi.core.errors import UserError
    from tdmi.experiments.evaluate import check_predictions
    from tdmi.formats import hieve
    from tdmi.formats.files import new_zip, video_files
    from tdmi.formats.submission import check_hieve_videos, write_hieve

    if args.out.suffix != ".zip":
        raise UserError(f"{args.out}: expected a name that ends in .zip, the server takes no other")
    names = sorted(set(video_files(args.predictions)) & set(hieve.TEST_VIDEOS))
    check_hieve_videos(names, args.predictions)
    with new_zip(args.out) as folder:
        predictions = hieve.read_folder(args.predictions, tqdm(names, unit="video", disable=None))
        check_predictions(args.predictions, predictions)
        write_hieve(predictions, folder)
    print(f"{args.out}: {len(names)} videos for the HiEve server")
