"""Our two themes, and the inks: names for what a piece of text means, resolved against the theme in force.

The palette is safe for the common kinds of colour blindness: "well" is a bluish green, "broken" a vermilion that is
also warmer and darker, "careful" a light yellow, and none of them ever stands without a word or a mark.
"""

from collections.abc import Mapping
from types import MappingProxyType

from textual.theme import Theme

__all__ = ["DARK", "INKS", "LIGHT", "THEMES"]


def _theme(name: str, palette: Mapping[str, str], *, dark: bool) -> Theme:
    variables = {f"orlop-{ink}": colour for ink, colour in palette.items()}
    variables |= {
        "border": palette["accent"],
        "border-blurred": palette["line"],
        "block-cursor-background": palette["cursor"],
        "block-cursor-foreground": palette["text"],
        "block-cursor-blurred-background": palette["blurred"],
        "block-cursor-blurred-foreground": palette["text"],
        "block-hover-background": palette["blurred"],
        "input-cursor-background": palette["accent"],
        "input-cursor-foreground": palette["ground"],
        "input-selection-background": palette["cursor"],
        "scrollbar": palette["line"],
        "scrollbar-hover": palette["dim"],
        "scrollbar-active": palette["accent"],
        "scrollbar-background": palette["ground"],
        "scrollbar-background-hover": palette["ground"],
        "scrollbar-background-active": palette["ground"],
        "scrollbar-corner-color": palette["ground"],
        "text": palette["text"],
        "text-muted": palette["dim"],
        "text-disabled": palette["faint"],
        "surface-active": palette["blurred"],
        "button-foreground": palette["text"],
        "button-color-foreground": palette["ground"],
        "button-focus-text-style": "bold",
    }
    return Theme(
        name=name,
        primary=palette["link"],
        secondary=palette["agent"],
        warning=palette["warn"],
        error=palette["trip"],
        success=palette["ok"],
        accent=palette["accent"],
        foreground=palette["text"],
        background=palette["ground"],
        surface=palette["raised"],
        panel=palette["raised"],
        dark=dark,
        variables=variables,
    )


DARK = _theme(
    "orlop-dark",
    {
        "ground": "#0e1420",
        "raised": "#161f30",
        "cursor": "#27405f",
        "blurred": "#1c2839",
        "line": "#36465f",
        "text": "#d8e0ec",
        "dim": "#8c9cb5",
        "faint": "#5d6d87",
        "accent": "#e6b450",
        "link": "#6cb6e8",
        "ok": "#4fc9a4",
        "warn": "#f2cc60",
        "trip": "#ff7b54",
        "agent": "#c8a2e8",
    },
    dark=True,
)
"""Night watch: ink and brass."""

LIGHT = _theme(
    "orlop-light",
    {
        "ground": "#faf7f0",
        "raised": "#f0eadc",
        "cursor": "#cfdff0",
        "blurred": "#e9e4d6",
        "line": "#b9ae94",
        "text": "#1c2530",
        "dim": "#5c6673",
        "faint": "#7d8590",
        "accent": "#7a4e00",
        "link": "#0b5a97",
        "ok": "#00695a",
        "warn": "#7a5a00",
        "trip": "#b02a0c",
        "agent": "#6d3a8c",
    },
    dark=False,
)
"""Chart table: paper and sepia."""

THEMES: Mapping[str, Theme] = MappingProxyType({"dark": DARK, "light": LIGHT})
"""By the name in the configuration."""

INKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "": ("text", ""),
        "strong": ("text", "bold"),
        "dim": ("dim", ""),
        "faint": ("faint", ""),
        "head": ("dim", "bold"),
        "title": ("accent", "bold"),
        "accent": ("accent", ""),
        "key": ("accent", "bold"),
        "link": ("link", ""),
        "ok": ("ok", ""),
        "warn": ("warn", ""),
        "urgent": ("warn", "bold"),
        "trip": ("trip", ""),
        "alarm": ("trip", "bold"),
        "agent": ("agent", ""),
        "badge": ("accent", "bold reverse"),
        "alarm-badge": ("trip", "bold reverse"),
        "here": ("link", "bold reverse"),
        "hit": ("link", "reverse"),
        "hit-here": ("accent", "bold underline reverse"),
        "done": ("faint", "strike"),
        "name": ("link", ""),
        "number": ("agent", ""),
        "string": ("ok", ""),
    }
)
"""Ink → (colour of the palette, attributes). Attributes alone must tell as much as is needed without colours."""
