"""A text as a QR code of half blocks: two rows of modules in each row of cells, dark on light in every theme."""

import segno

__all__ = ["qr_rows"]

_QUIET = 2
"""Light modules around the code; readers of telephones need no more."""

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def qr_rows(text: str, width: int, height: int) -> tuple[str, ...]:
    """The code as rows of equal width; empty where there is no room for it.

    Args:
        text: what is encoded.
        width: cells there are.
        height: rows there are.

    Returns:
        Rows in which a full block is a dark module; to be drawn black on white.
    """
    try:
        code = segno.make(text, error="l", micro=False, boost_error=False)
    except segno.DataOverflowError:
        return ()
    modules = [[bool(module) for module in row] for row in code.matrix_iter(border=_QUIET)]
    if len(modules[0]) > width or (len(modules) + 1) // 2 > height:
        return ()
    if len(modules) % 2:
        modules.append([False] * len(modules[0]))
    pairs = zip(modules[::2], modules[1::2], strict=True)
    return tuple("".join(_HALVES[cell] for cell in zip(upper, lower, strict=True)) for upper, lower in pairs)
