"""Reads a page the way a reader does: its tables, its embedded data, what it links to."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Page(HTMLParser):
    """`tables`: id -> rows of cell texts, headings left out. `data`: the embedded JSON. `text`: all visible text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tables: dict[str, list[list[str]]] = {}
        self.attributes: list[tuple[str, str, str]] = []  # tag, name, value
        self.text = ""
        self._table = self._embedded = ""
        self._cell: list[str] | None = None
        self._in_data = self._hidden = False
        self.feed(self.source)
        self.data: dict[str, Any] = json.loads(self._embedded)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in given.items()]
        if tag == "table":
            self._table = given["id"]
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag == "td":
            self._cell = []
        self._in_data = given.get("id") == "report-data" or self._in_data
        self._hidden = tag in ("style", "script", "title") or self._hidden

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._cell is not None:
            self.tables[self._table][-1].append("".join(self._cell))
            self._cell = None
        elif tag == "table":
            self.tables[self._table] = [row for row in self.tables[self._table] if row]
        elif tag in ("style", "script", "title"):
            self._in_data = self._hidden = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self._embedded += data
        if self._cell is not None:
            self._cell.append(data)
        if not self._hidden:
            self.text += data
