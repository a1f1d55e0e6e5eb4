"""Pieces of the HTML report: text, tables and sections; every word that comes from outside is escaped."""

import html
import json
import re
from collections.abc import Iterable
from typing import Any, Final

from src.report.chart import svg
from src.report.score_charts import Charts
from src.report.sections import Section, Table

CODE: Final = re.compile(r"`([^`]+)`")
INTERVAL: Final = re.compile(r"(\S+) (\[.*)", re.DOTALL)


def escaped(text: str) -> str:
    """Text as it may stand between tags and in quoted attributes."""
    return html.escape(text, quote=True)


def inline(text: str) -> str:
    """A sentence, its `code` marked."""
    return CODE.sub(r"<code>\1</code>", escaped(text))


def json_block(name: str, value: Any) -> str:
    """Data for the page's script; no text in it can end the block."""
    text = json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="{name}">{text}</script>'


def table_html(table: Table) -> str:
    """A table that sorts by a click on a column's head."""
    head, *body = table.lines
    heads = "".join(
        f'<th scope="col"{"" if at < table.left else _NUMBER}><button type="button">{escaped(word)}</button></th>'
        for at, word in enumerate(head)
    )
    lines = "".join(
        f"<tr>{''.join(_cell(word, at < table.left) for at, word in enumerate(line))}</tr>" for line in body
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'


_NUMBER: Final = ' class="number"'


def _cell(word: str, is_word: bool) -> str:
    if is_word:
        return f"<td>{inline(word)}</td>"
    found = INTERVAL.fullmatch(word)
    inner = f"{escaped(found[1])}<small>{escaped(found[2])}</small>" if found else escaped(word)
    return f"<td{_NUMBER}>{inner}</td>"


def section_html(section: Section) -> str:
    """A section below its heading."""
    blocks = (table_html(block) if isinstance(block, Table) else f"<p>{inline(block)}</p>" for block in section.blocks)
    return f"<section><h3>{inline(section.title)}</h3>{''.join(blocks)}</section>"


def sentences_html(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{inline(sentence)}</li>' for sentence in sentences)}</ul>"


def charts_html(charts: Charts) -> str:
    """Charts with their legend and notes."""
    drawn = "".join(map(svg, charts.charts))
    drawn = f'<div class="charts">{drawn}</div>{charts.legend}' if drawn else ""
    return drawn + "".join(f"<p>{inline(note)}</p>" for note in charts.notes)
