"""Small label files of the forms that users keep: merged ones, COCO's, and HiEve's."""

from __future__ import annotations

from pathlib import Path

from tdmi.core.files import write_text
from tdmi.data.skeletons import COCO, HIEVE, POSETRACK18

CATEGORY = {"name": "person", "id": 1, "keypoints": list(POSETRACK18.joints)}
HIEVE_BOXES = "3,7,10,20.5,30,40,1,-1,-1,-1\n0,7,1,2,3,4,0,-1,-1,-1\n3,8,-5,6,7,8,1,-1,-1,-1\n"
HIEVE_XML = """<annotation>
  <folder>hm_in_fighting1</folder><filename>0.jpg</filename>
  <path>D:\\hm_in_fighting1\\0.jpg</path><source><database>Unknown</database></source>
  <size><width>1920</width><height>1080</height><depth>3</depth></size><segmented>0</segmented>
  <object>
    <name>P-1</name><action>standing-alone</action><pose>unspecified</pose>
    <bndbox><xmin>747</xmin><ymin>103</ymin><xmax>1044</xmax><ymax>1079</ymax>
      <Nose>928,185,0</Nose><Chest>943,278,1</Chest><Left-ankle>0,0,-1</Left-ankle></bndbox>
  </object>
</annotation>
"""


def detect_and_track(size: bool = True) -> dict:
    """Two 2017 videos: ids from 1 in one file, a person with two joints, and one without."""
    joints = [0, 0, 0] * 17
    joints[:6] = [100.5, 50, 2, 0, 0, 2]
    images = [
        {
            "nframes": 2,
            "frame_id": number,
            "file_name": f"{folder}/{number:08d}.jpg",
            "original_file_name": f"images/{folder}/{number + 16:04d}.jpg",
            "is_labeled": number == 1,
            "id": 2 * k + number,
        }
        | ({"width": 1280, "height": 720} if size else {})
        for k, folder in enumerate(("bonn_5sec/000342_mpii", "mpii_5sec/24788_mpii"))
        for number in (1, 2)
    ]
    person = {
        "iscrowd": 0,
        "segmentation": [],
        "num_keypoints": 17,
        "category_id": 1,
        "head_box": [90.5, 30.0, 110.5, 60.0],
    }
    people = [
        person
        | {
            "id": 1,
            "image_id": 3,
            "track_id": 4,
            "keypoints": joints,
            "bbox": [1, 2, 30, 40],
            "area": 1200,
        },
        person
        | {
            "id": 2,
            "image_id": 1,
            "track_id": 0,
            "keypoints": [0] * 51,
            "bbox": [0, 0, 0, 0],
            "area": 0,
        },
    ]
    return {"images": images, "annotations": people, "categories": [CATEGORY]}


def mmpose() -> dict:
    """Two 2018 videos whose frames stand in any order."""
    images = [
        {
            "has_no_densepose": True,
            "is_labeled": True,
            "file_name": f"images/val/{video}/{frame:06d}.jpg",
            "nframes": 140,
            "frame_id": number * 10**4 + frame,
            "vid_id": video[:6],
            "id": number * 10**4 + frame,
            "width": 1920,
            "height": 1080,
            "mask_file": f"mask/val/{video}/{frame:06d}.jpg",
            "ignore_regions_x": [[0, 5, 5]],
            "ignore_regions_y": [[0, 0, 5]],
        }
        for video, number, frame in (
            ("012834_mpii_test", 1012834, 8),
            ("003418_mpii_test", 1003418, 0),
            ("012834_mpii_test", 1012834, 4),
        )
    ]
    people = [
        {
            "bbox_head": [346, 337, 296, 237],
            "keypoints": [621, 471, 1, 0, 0, 0, 7, 8, 0] + [0] * 42,
            "track_id": k,
            "image_id": image["id"],
            "bbox": [214.25, 15.0, 1358.5, 1092.0],
            "scores": [],
            "category_id": 1,
            "id": image["id"] * 100,
            "iscrowd": False,
            "num_keypoints": 2,
        }
        for k, image in enumerate(images)
    ]
    return {"images": images, "annotations": people, "categories": [CATEGORY]}


def coco_keypoints() -> dict:
    """Three images; a person with a hidden joint, a crowd without joints, an empty image."""
    joints = [0, 0, 0] * 17
    joints[:9] = [10, 20, 2, 0, 5, 1, 7, 7, 0]
    common = {"category_id": 1, "num_keypoints": 2, "area": 321.5}
    return {
        "info": {"year": 2017},
        "licenses": [],
        "images": [
            {"id": image, "file_name": f"{image:012d}.jpg", "width": 640, "height": 480}
            for image in (139, 285, 632)
        ],
        "annotations": [
            common
            | {"id": 900100258219, "image_id": 285, "iscrowd": 1, "keypoints": [0] * 51}
            | {"segmentation": {"counts": [1, 2], "size": [480, 640]}, "bbox": [5, 6, 7, 8]},
            common
            | {"id": 183126, "image_id": 139, "iscrowd": 0, "keypoints": joints}
            | {"segmentation": [[1.5, 2, 3, 4, 5, 6]], "bbox": [1, 2, 3.25, 4]},
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints)}],
    }


def hieve_coco() -> dict:
    """Frames out of order, as users' files have them after a random split."""
    zero = [0, 0, 0] * 14
    joints = [10, 20, 1, 30, 40, 0, *zero[6:]]
    person = {
        "id": 0, "track_id": 4, "image_id": 31, "category_id": 1, "iscrowd": 1, "area": 12.0,
        "segmentation": [[0] * 8], "bbox": [1, 2, 3, 4], "score": 1.0, "keypoints": joints,
        "num_keypoints": 1,
    }  # fmt: skip
    images = [
        {"id": 40, "width": 640, "height": 480, "file_name": "12/000000.jpg"},
        {"id": 31, "width": 320, "height": 240, "file_name": "4/000009.jpg"},
        {"id": 30, "width": 320, "height": 240, "file_name": "4/000002.jpg"},
    ]
    category = {"id": 1, "name": "person", "keypoints": list(HIEVE.joints),
                "skeleton": [["nose", "chest"]]}  # fmt: skip
    return {"images": images, "annotations": [person], "categories": [category]}


def hieve_persons() -> list:
    keypoints = [[j, 10 + j, 20 + j, 1] for j in range(14)]
    keypoints[3] = [3, 0, 0, 0]
    person = {"track_id": [6], "bbox": [1, 2, 4, 6, 0.75], "keypoints": keypoints[::-1]}
    return [
        {"file_name": "000000000007.jpg", "persons": [person]},
        {"file_name": "000000000008.jpg", "persons": []},
    ]


def write_xml_files(folder: Path) -> None:
    write_text(folder / "7/000000.xml", HIEVE_XML)
    write_text(folder / "7/000002.xml", "<annotation/>")
