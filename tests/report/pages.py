"""Reading a page back: its tags, attributes, texts and scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

TOLD_ATTRIBUTES = ("title", "aria-label", "data-label", "alt")


@dataclass
class Page(HTMLParser):
    """What a browser would see: every tag with its attributes, every text, every script's content."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    scripts: list[tuple[dict[str, str], str]] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.tags.append((tag, held))
        self.texts += [held[name] for name in TOLD_ATTRIBUTES if held.get(name)]
        if tag in ("script", "style"):
            self.inside = tag
            if tag == "script":
                self.scripts.append((held, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            held, text = self.scripts[-1]
            self.scripts[-1] = (held, text + data)
        elif self.inside == "style":
            self.styles.append(data)
        elif data.strip():
            self.texts.append(data.strip())


def read(text: str) -> Page:
    page = Page()
    page.feed(re.sub(r'<span class="w">([^<]*)</span>', r"\1", text))  # keeps a line whole, says nothing of its own
    page.close()
    return page


def without_translated(text: str) -> str:
    """Take out what stands in the marks of the pseudo-language, inner ones first."""
    before = ""
    while text != before:
        before, text = text, re.sub(r"⟦[^⟦⟧]*⟧", "", text)
    return text
