"""One label as a picture: PNG for printers and previews, SVG for designers."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from qr.codes import CODE_LENGTH
from qr.layout import LabelArt
from qr.symbol import SymbolFamily, unpack

MM_PER_INCH = 25.4


def symbol_of(family: SymbolFamily, code: str) -> NDArray[np.bool_]:
    """Modules of a code's symbol: shape ``(size, size)``, True is dark."""
    suffix = np.frombuffer(code.encode("ascii"), dtype=np.uint8).reshape(1, CODE_LENGTH)
    return unpack(family.symbols(suffix)[0], family.form.size)


def render_png(art: LabelArt, family: SymbolFamily, code: str, dpi: int = 300) -> bytes:
    """The label as a PNG of one bit depth grey, modules a whole number of pixels."""
    scale = dpi / MM_PER_INCH
    image = Image.new("L", (round(art.width_mm * scale), round(art.height_mm * scale)), 255)
    draw = ImageDraw.Draw(image)
    for line in (*art.lines, art.code_line(code)):
        font = ImageFont.truetype(io.BytesIO(art.fonts[line.weight].data), line.size_mm * scale)
        draw.text((line.x * scale, line.y * scale), line.text, fill=0, font=font, anchor="ls")
    for rule in art.rules:
        left, top = rule.x * scale, rule.y * scale
        draw.rectangle((left, top, left + rule.width * scale, top + max(1, rule.height * scale) - 1), fill=0)
    module = max(1, int(art.module_mm * scale))
    modules = np.kron(symbol_of(family, code), np.ones((module, module), dtype=np.bool_))
    slack = (art.symbol_modules * art.module_mm * scale - modules.shape[0]) / 2
    symbol = Image.fromarray(np.where(modules, 0, 255).astype(np.uint8))
    image.paste(symbol, (round(art.symbol_x * scale + slack), round(art.symbol_y * scale + slack)))
    out = io.BytesIO()
    image.save(out, "PNG", dpi=(dpi, dpi), optimize=True)
    return out.getvalue()


def render_svg(art: LabelArt, family: SymbolFamily, code: str) -> str:
    """The label as an SVG in millimetres; texts are outlines, so no font is needed to print it."""
    lines = (*art.lines, art.code_line(code))
    outlines = "".join(
        f'<path d="{art.fonts[line.weight].outline(line.text, line.x, line.y, line.size_mm)}"/>' for line in lines
    )
    rules = "".join(
        f'<rect x="{r.x:.3f}" y="{r.y:.3f}" width="{r.width:.3f}" height="{r.height:.3f}"/>' for r in art.rules
    )
    symbol = _symbol_path(symbol_of(family, code))
    place = f"translate({art.symbol_x:.3f} {art.symbol_y:.3f}) scale({art.module_mm:.4f})"
    title = escape(" · ".join(line.text for line in lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{art.width_mm}mm" height="{art.height_mm}mm"'
        f' viewBox="0 0 {art.width_mm} {art.height_mm}"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>{outlines}{rules}'
        f'<path transform="{place}" d="{symbol}" shape-rendering="crispEdges"/></svg>\n'
    )


def _symbol_path(modules: NDArray[np.bool_]) -> str:
    """Horizontal runs of dark modules as one path in module units."""
    path = []
    for y, row in enumerate(modules):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
        path += [f"M{start} {y}h{end - start}v1h-{end - start}z" for start, end in edges.reshape(-1, 2)]
    return "".join(path)
