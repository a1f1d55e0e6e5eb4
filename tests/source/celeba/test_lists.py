from pathlib import Path

import numpy as np
import pytest

from src.source.celeba.lists import find_list, read_list
from src.system.errors import UserError
from tests.helpers.celeba_files import ATTRIBUTES, FIVE_HEADER, attributes, celeba_files, change_line, list_texts, name


def written(folder: Path, stem: str, text: str, suffix: str = ".txt") -> Path:
    path = folder / f"{stem}{suffix}"
    path.write_bytes(text.encode())
    return path


def official(folder: Path, stem: str, count: int = 40) -> Path:
    return written(folder, stem, list_texts(count)[f"{stem}.txt"])


def test_the_official_rows_are_read(tmp_path: Path) -> None:
    # The first rows of the real files.
    five = f"2\n{FIVE_HEADER}\n000001.jpg  69  109  106  113   77  142   73  152  108  154\n"
    five += "000002.jpg  69  110  107  112   81  135   70  151  108  153\n"
    read = read_list(written(tmp_path, "list_landmarks_align_celeba", five))
    assert read.names.tolist() == [b"000001.jpg", b"000002.jpg"]
    assert read.values.reshape(-1, 5, 2)[0].tolist() == [[69, 109], [106, 113], [77, 142], [73, 152], [108, 154]]
    boxes = "2\nimage_id x_1 y_1 width height\n000001.jpg    95   71  226  313\n000002.jpg    72   94  221  306\n"
    assert read_list(written(tmp_path, "list_bbox_celeba", boxes)).values[1].tolist() == [72, 94, 221, 306]
    people = "000001.jpg 2880\n000002.jpg 2937\n"
    assert read_list(written(tmp_path, "identity_CelebA", people)).values[:, 0].tolist() == [2880, 2937]
    row = "000001.jpg -1  1  1 -1 -1 -1 -1 -1 -1 -1 -1  1 -1 -1 -1 -1 -1 -1  1  1 -1  1 -1 -1  1 -1 -1  1 -1 -1 -1"
    text = f"1\n{' '.join(ATTRIBUTES)} \n{row}  1  1 -1  1 -1  1 -1 -1  1\n"
    read = read_list(written(tmp_path, "list_attr_celeba", text))
    assert (read.columns[0], read.columns[-1]) == ("5_o_Clock_Shadow", "Young")
    assert [read.columns[at] for at in np.flatnonzero(read.values[0] > 0)] == [
        *("Arched_Eyebrows", "Attractive", "Brown_Hair", "Heavy_Makeup", "High_Cheekbones", "Mouth_Slightly_Open"),
        *("No_Beard", "Pointy_Nose", "Smiling", "Straight_Hair", "Wearing_Earrings", "Wearing_Lipstick", "Young"),
    ]


def test_attributes_are_those_of_their_image(tmp_path: Path) -> None:
    read = read_list(official(tmp_path, "list_attr_celeba"))
    assert read.values.shape == (40, 40)
    assert dict(zip(read.columns, (read.values[17] > 0).tolist(), strict=True)) == attributes(17)


@pytest.mark.parametrize(
    ("stem", "header"),
    [
        ("list_eval_partition", "image_id,partition"),
        ("identity_CelebA", None),
        ("list_attr_celeba", ",".join(["image_id", *ATTRIBUTES])),
        ("list_bbox_celeba", "image_id,x_1,y_1,width,height"),
        ("list_landmarks_align_celeba", ",".join(["image_id", *FIVE_HEADER.split()])),
    ],
)
def test_csv_byte_order_mark_and_line_ends_change_nothing(tmp_path: Path, stem: str, header: str | None) -> None:
    path = official(tmp_path, stem)
    text, wanted = path.read_text(), read_list(path)
    rows = [line.split() for line in text.splitlines() if line.startswith("0")]
    csv = "".join(f"{line}\n" for line in [*([header] if header else []), *(",".join(row) for row in rows)])
    written(tmp_path, stem, csv, ".csv")
    for other in (text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n"), text + "\n\n"):
        path.write_bytes(other.encode())
        assert np.array_equal(read_list(path).values, wanted.values)
    read = read_list(tmp_path / f"{stem}.csv")
    assert read.names.tolist() == wanted.names.tolist()
    assert np.array_equal(read.values, wanted.values)
    assert read.columns == wanted.columns


def test_rows_are_found_in_any_order(tmp_path: Path) -> None:
    path = written(tmp_path, "identity_CelebA", "000003.jpg 30\n000001.jpg 10\n000002.jpg 20\n")
    names = np.array([b"000001.jpg", b"000009.jpg", b"000003.jpg", b"000000.jpg"], "S64")
    assert read_list(path).rows_of(names).tolist() == [1, -1, 0, -1]
    assert read_list(path).values_of(names)[:, 0].tolist() == pytest.approx([10, np.nan, 30, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("stem", "number", "line", "message"),
    [
        ("list_eval_partition", 1, "000001.jpg x", r"line 1: 'x' is not a number"),
        ("list_eval_partition", 7, "000007.jpg 3", r"line 7: partition is 3, 0 \(train\), 1 \(val\) or 2 \(test\)"),
        ("list_eval_partition", 7, "000007.jpg", r"line 7: 1 columns, 2 expected \('000007\.jpg'\)"),
        ("identity_CelebA", 7, "000007.jpg 12 13", r"line 7: 3 columns, 2 expected"),
        ("identity_CelebA", 7, "000007.jpg 1.5", r"line 7: identity is 1\.5, a person's number"),
        ("identity_CelebA", 7, "000007.jpg nan", r"line 7: identity is nan"),
        ("identity_CelebA", 7, "000005.jpg 12", r"line 7: 000005\.jpg has a row in line 5 already"),
        ("identity_CelebA", 7, "00000\u03b1.jpg 12", r"line 7: '00000\u03b1\.jpg' is no CelebA name"),
        ("identity_CelebA", 7, f"{'1' * 70}.jpg 12", r"line 7: a name of 64 bytes or more"),
        ("list_attr_celeba", 1, "41", r"line 1: it announces 41 rows, but there are 40; download"),
        ("list_attr_celeba", 9, None, r"line 1: it announces 40 rows, but there are 39"),
        ("list_attr_celeba", 2, None, r"no line with the attributes' names"),
        ("list_attr_celeba", 5, "000003.jpg" + " 1" * 39, r"line 5: 40 columns, 41 expected"),
        ("list_attr_celeba", 5, "000003.jpg" + " 1" * 39 + " 2", r"line 5: Young is 2, 1 or -1"),
        ("list_bbox_celeba", 3, "000001.jpg 1 2 3 inf", r"line 3: height is inf, a finite number"),
        ("list_bbox_celeba", 2, "image_id x_1 y_1 x_2 y_2", r"its columns are 'x_1 y_1 x_2 y_2', not 'x_1 y_1 width"),
        ("list_landmarks_celeba", 1, "<!DOCTYPE html>", r"is a web page, not CelebA's list"),
        ("list_landmarks_celeba", 9, "000007.jpg 1 2 3 4 5 6 7 8 9 --", r"line 9: '--' is not a number"),
    ],
)
def test_a_broken_list_is_named_with_its_line(
    tmp_path: Path, stem: str, number: int, line: str | None, message: str
) -> None:
    path = official(tmp_path, stem)
    change_line(path, number, line)
    with pytest.raises(UserError, match=rf"{stem}\.txt.*{message}") as caught:
        read_list(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "0\nimage_id x_1 y_1 width height\n"])
def test_a_list_without_rows(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"list_bbox_celeba\.txt has no rows"):
        read_list(written(tmp_path, "list_bbox_celeba", text))


@pytest.mark.parametrize(("layout", "where"), [("flat", ""), ("official", "Eval"), ("torchvision", "celeba")])
def test_lists_are_found_in_every_layout(tmp_path: Path, layout: str, where: str) -> None:
    celeba_files(tmp_path, 40, layout=layout)
    assert find_list(tmp_path, "list_eval_partition") == tmp_path / where / "list_eval_partition.txt"
    assert find_list(tmp_path, "list_of_something") is None
    assert read_list(tmp_path / where / "list_eval_partition.txt").names[39].decode() == name(39)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", ["inf", "nan", "1.5"])
def test_a_person_that_is_no_number_is_one_line(tmp_path: Path, value: str) -> None:
    with pytest.raises(UserError, match=f"line 2: identity is {value}, a person's number, from 1 expected"):
        read_list(written(tmp_path, "identity_CelebA", f"a.jpg 1\nb.jpg {value}\n"))


def test_a_count_may_have_strange_blanks_around_it(tmp_path: Path) -> None:
    text = f"\x1c1\x1f\n{FIVE_HEADER}\na.jpg 1 2 3 4 5 6 7 8 9 10\n"
    assert len(read_list(written(tmp_path, "list_landmarks_celeba", text)).names) == 1
