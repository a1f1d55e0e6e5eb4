"""CelebA in small: the official download's files in their own formats, with drawn pictures."""

import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 178, 218
_HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair "
    "Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
    "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
ATTRIBUTES = _HEADER.split()
PARTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
FIVE_HEADER = " ".join(f"{part}_{xy}" for part in PARTS for xy in "xy")
# Where the official download has each list, and the folder of the pictures.
PLACES = {
    "list_eval_partition.txt": "Eval",
    "identity_CelebA.txt": "Anno",
    "list_attr_celeba.txt": "Anno",
    "list_bbox_celeba.txt": "Anno",
    "list_landmarks_align_celeba.txt": "Anno",
    "list_landmarks_celeba.txt": "Anno",
}


def name(index: int) -> str:
    return f"{index + 1:06d}.jpg"


def identity(index: int) -> int:
    """Four pictures a person, the numbers with gaps."""
    return 1 + 3 * (index // 4)


def attributes(index: int) -> dict[str, bool]:
    return dict(zip(ATTRIBUTES, np.random.default_rng([1, index]).random(len(ATTRIBUTES)) < 0.2, strict=True))


def five_points(index: int, in_the_wild: bool = False) -> np.ndarray:
    """(5, 2) whole numbers: eyes, nose, corners of the mouth, image-left first."""
    points = np.array([(69, 111), (107, 111), (88, 135), (72, 152), (105, 152)])
    points = points + np.random.default_rng([2, index]).integers(-2, 3, (5, 2))
    return points * _zoom(index) + 20 if in_the_wild else points


def _zoom(index: int) -> int:
    return 1 + index % 3


@cache
def picture(index: int, in_the_wild: bool = False) -> bytes:
    """A JPEG in which the five points are dark blots; no two are the same."""
    zoom = _zoom(index) if in_the_wild else 1
    width, height = WIDTH * zoom, HEIGHT * zoom
    y, x = np.mgrid[:height, :width]
    image = np.stack([x % 256, y % 256, np.full_like(x, 40 + index % 200)], axis=2).astype(np.uint8)
    for cx, cy in five_points(index, in_the_wild):
        image[np.hypot(x - cx, y - cy) < 4 * zoom] = 20
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def list_texts(count: int) -> dict[str, str]:
    """The six lists, with their official blanks and line ends."""
    names = [name(index) for index in range(count)]
    split = [0 if 10 * index < 8 * count else 1 if 10 * index < 9 * count else 2 for index in range(count)]
    partition = [f"{file} {number}" for file, number in zip(names, split, strict=True)]
    people = [f"{file} {identity(index)}" for index, file in enumerate(names)]
    attribute_rows = [
        f"{file} {' '.join(f'{1 if has else -1:2d}' for has in attributes(index).values())}".replace(".jpg  ", ".jpg ")
        for index, file in enumerate(names)
    ]
    boxes = []
    for index, file in enumerate(names):
        (left, top), (right, bottom) = five_points(index, True).min(0), five_points(index, True).max(0)
        x, y, w, h = left - 20, top - 30, right - left + 40, bottom - top + 60
        boxes.append(f"{file} {x:5d}{y:5d}{w:4d}{h:4d}" if w < 999 else f"{file} {x} {y} {w} {h}")
    five = {
        wild: [
            f"{file} {' '.join(f'{value:4d}' for value in five_points(index, wild).ravel())}"
            for index, file in enumerate(names)
        ]
        for wild in (False, True)
    }
    return {
        "list_eval_partition.txt": "".join(f"{row}\r\n" for row in partition),
        "identity_CelebA.txt": "".join(f"{row}\r\n" for row in people),
        "list_attr_celeba.txt": "\r\n".join([str(count), " ".join(ATTRIBUTES) + " ", *attribute_rows, ""]),
        "list_bbox_celeba.txt": "\n".join([str(count), "image_id x_1 y_1 width height", *boxes, ""]),
        "list_landmarks_align_celeba.txt": "\n".join([str(count), FIVE_HEADER, *five[False], ""]),
        "list_landmarks_celeba.txt": "\n".join([str(count), FIVE_HEADER, *five[True], ""]),
    }


def celeba_files(
    root: Path, count: int = 200, in_the_wild: bool = False, zipped: bool = False, layout: str = "flat"
) -> Path:
    """CelebA with `count` pictures below `root`: 80 % train, 10 % val, 10 % test.

    Args:
        root: made where it is not there.
        count: pictures; with a multiple of 40 nobody is in two splits.
        in_the_wild: with img_celeba/ too, in sizes of 1 to 3 times the aligned pictures'.
        zipped: the pictures in img_align_celeba.zip (img_celeba.zip) instead of folders.
        layout: "flat", "official" (Anno/, Eval/, Img/) or "torchvision" (all in celeba/).
    """
    base = root / "celeba" if layout == "torchvision" else root
    for file, text in list_texts(count).items():
        path = base / (PLACES[file] if layout == "official" else "") / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    for wild in (False, True)[: 1 + in_the_wild]:
        folder = base / ("Img" if layout == "official" else "") / ("img_celeba" if wild else "img_align_celeba")
        files = {name(index): picture(index, wild) for index in range(count)}
        folder.parent.mkdir(parents=True, exist_ok=True)
        if zipped:
            write_zip(folder.with_name(f"{folder.name}.zip"), {f"{folder.name}/{file}": files[file] for file in files})
        else:
            folder.mkdir()
            for file, data in files.items():
                (folder / file).write_bytes(data)
    return root


def write_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip of these members, in their order, folders with their own entries as in the official one."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for folder in dict.fromkeys(member.rpartition("/")[0] for member in members):
            if folder and ".." not in folder:
                archive.writestr(f"{folder}/", b"")
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def change_line(path: Path, number: int, line: str | None) -> None:
    """Put `line` in the place of a line, counted from 1; None takes it out."""
    lines = path.read_bytes().decode().splitlines(keepends=True)
    lines[number - 1 : number] = [] if line is None else [f"{line}\n"]
    path.write_bytes("".join(lines).encode())
