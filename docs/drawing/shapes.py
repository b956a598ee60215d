"""Shapes of a picture, as lines of SVG. Lengths are in pixels, colours are classes of the picture's style."""

from __future__ import annotations

from html import escape
from typing import Final

COLOURS: Final = ("blue", "orange", "purple", "teal")
"""Classes that tell runs apart, also for readers who do not see all colours."""

_STYLE: Final = """
.card{fill:#fff;stroke:#d0d7de}
.node{fill:#f6f8fa;stroke:#d0d7de}
text{fill:#1f2328;font:12px system-ui,-apple-system,"Segoe UI","Noto Sans","DejaVu Sans",sans-serif}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:11px}
.title{font-size:13px;font-weight:600}
.muted{fill:#59636e}
.small{font-size:11px}
.line{fill:none;stroke-width:1.6}
.joins{stroke-dasharray:4 3}
.off{fill:none;stroke:#9198a1;stroke-dasharray:2 3}
.gray{stroke:#9198a1}
.tip{fill:#9198a1}
.blue{stroke:#0969da}.orange{stroke:#bc4c00}.purple{stroke:#8250df}.teal{stroke:#1b7c83}
.pale{fill-opacity:.1}
.pale.blue,.full.blue{fill:#0969da}.pale.orange,.full.orange{fill:#bc4c00}
.pale.purple,.full.purple{fill:#8250df}.pale.teal,.full.teal{fill:#1b7c83}
.on{fill:#fff}
@media (prefers-color-scheme:dark){
.card{fill:#161b22;stroke:#30363d}
.node{fill:#0d1117;stroke:#30363d}
text{fill:#e6edf3}
.muted{fill:#9198a1}
.on{fill:#fff}
.blue{stroke:#4493f8}.orange{stroke:#f0883e}.purple{stroke:#ab7df8}.teal{stroke:#39c5cf}
.pale{fill-opacity:.3}
}
""".strip()


def picture(width: float, height: float, *, title: str, described: str, shapes: list[str]) -> str:
    """Return a whole picture on a card of its own, which is light or dark as the reader's screen is.

    Args:
        width: Width.
        height: Height.
        title: What it shows, for those who hear it.
        described: All that is to be seen in it, in words.
        shapes: What is on the card.
    """
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(described)}</desc>',
        f"<style>{_STYLE}</style>",
        box(0.5, 0.5, width - 1, height - 1, "card", radius=10),
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def box(x: float, y: float, width: float, height: float, kind: str, *, radius: float = 6) -> str:
    """Return a rectangle with round corners."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" class="{kind}"/>'


def text(x: float, y: float, words: str, kind: str = "", *, middle: bool = False) -> str:
    """Return a line of text whose base line begins at a point, or has it in its middle."""
    anchor = ' text-anchor="middle"' if middle else ""
    return (
        f'<text x="{x:g}" y="{y:g}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}{anchor}>{escape(words)}</text>'
    )


def labelled(x: float, y: float, width: float, height: float, words: str, kind: str, *, word_kind: str = "") -> str:
    """Return a rectangle with words in its middle."""
    return box(x, y, width, height, kind) + text(x + width / 2, y + height / 2 + 4, words, word_kind, middle=True)


def curve(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    """Return a line from left to right that begins and ends level."""
    half = (x + to_x) / 2
    return f'<path d="M{x:g} {y:g}C{half:g} {y:g} {half:g} {to_y:g} {to_x:g} {to_y:g}" class="line {kind}"/>'


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """Return a level or upright arrow."""
    across, down = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
    back_x, back_y = to_x - 6 * across, to_y - 6 * down
    tip = f"M{to_x:g} {to_y:g}L{back_x + 4 * down:g} {back_y + 4 * across:g}"
    tip += f"L{back_x - 4 * down:g} {back_y - 4 * across:g}Z"
    return f'<path d="M{x:g} {y:g}L{back_x:g} {back_y:g}" class="line gray"/><path d="{tip}" class="tip"/>'
