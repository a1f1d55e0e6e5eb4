import importlib.util
import math
from io import BytesIO
from pathlib import Path

import pytest

from src.report.faces_file import faces_csv, faces_parquet
from src.report.metrics_json import metrics_json
from src.report.read import read_results
from src.report.report_md import report_md
from src.system.errors import UserError
from tests.report.test_table import NAN, PROTOCOL, face


def written(folder: Path) -> Path:
    rows = [face(0, nose=NAN, mtun=math.inf), face(1, "b", mtun=23.25)]
    (folder / "metrics.csv").write_text(faces_csv(rows), encoding="utf-8")
    (folder / "metrics.json").write_text(metrics_json(rows, PROTOCOL), encoding="utf-8")
    return folder


def test_rows_and_protocol_come_back_from_the_files_alone(tmp_path: Path) -> None:
    rows = [face(0, nose=NAN, mtun=math.inf), face(1, "b", mtun=23.25)]
    found = read_results(written(tmp_path))
    assert faces_csv(found.rows) == faces_csv(rows)
    assert (found.rows[0].store, found.rows[0].row, found.rows[0].identity) == ("a", 0, "Ann")
    assert found.rows[0].methods["tiny"].whole["psnr_rgb"] == math.inf
    assert math.isnan(found.rows[0].methods["tiny"].components["heatmap_peak_px"]["nose"])
    assert report_md(found.rows, found.protocol) == report_md(rows, PROTOCOL)
    assert found.values["methods"]["tiny"]["psnr_rgb"]["infinite"] == 1
    assert found.values["paired"][0]["base"] == "bicubic"


@pytest.mark.parametrize("name", ["metrics.csv", "metrics.json"])
def test_a_folder_without_an_evaluation_is_said_in_a_line(tmp_path: Path, name: str) -> None:
    written(tmp_path)
    (tmp_path / name).write_text("{}")
    if name == "metrics.json":
        with pytest.raises(UserError, match="no evaluation of this version"):
            read_results(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"{name} cannot be read"):
        read_results(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_parquet_has_the_columns_and_numbers_of_the_csv() -> None:
    import pyarrow.parquet

    rows = [face(0, nose=NAN), face(1, "b")]
    content = faces_parquet(rows)
    assert content is not None
    table = pyarrow.parquet.read_table(BytesIO(content))
    assert ",".join(table.column_names) == faces_csv(rows).splitlines()[0]
    assert table["tiny_heatmap_peak_px_nose"].to_pylist() == [None, 2.0]
    assert str(table["tiny_psnr_rgb"].type) == "double"


def test_without_pyarrow_there_is_no_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert faces_parquet([face(0)]) is None
