"""One label as a picture: PNG in the printer's dots, SVG for designers and previews."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from qr.art import LabelArt
from qr.labels import Chunk, Labels
from qr.raster import Raster
from qr.symbol import unpack


def _only(art: LabelArt, labels: Labels, index: int) -> Chunk:
    return next(labels.one(index).chunks(frozenset(line.field for line in art.variables)))


def render_png(art: LabelArt, labels: Labels, index: int) -> bytes:
    """The label of an index as a PNG of two colours, a pixel for each dot of the layout's printer."""
    dots = Raster(art).labels(_only(art, labels, index))[0]
    image = Image.fromarray(np.where(dots, 1, 0).astype(np.uint8), "P")
    image.putpalette([*ImageColor.getrgb(art.layout.paper), *ImageColor.getrgb(art.layout.ink)])
    out = io.BytesIO()
    image.save(out, "PNG", dpi=(art.layout.dpi, art.layout.dpi), bits=1, optimize=True)
    return out.getvalue()


def render_svg(art: LabelArt, labels: Labels, index: int) -> str:
    """The label of an index as an SVG in millimetres; texts are outlines, so no font is needed to print it."""
    chunk = _only(art, labels, index)
    variables = (art.variable_line(line, chunk.fields[line.field][0].tobytes().decode()) for line in art.variables)
    lines = (*art.lines, *variables)
    outlines = "".join(
        f'<path d="{art.fonts[line.weight].outline(line.text, line.x, line.y, line.size_mm)}"/>' for line in lines
    )
    rules = "".join(
        f'<rect x="{r.x:.3f}" y="{r.y:.3f}" width="{r.width:.3f}" height="{r.height:.3f}"/>' for r in art.rules
    )
    symbol, modules = art.layout.symbol, unpack(chunk.symbols[0], art.symbol_modules)
    place = f"translate({symbol.x:.3f} {symbol.y:.3f}) scale({symbol.module_mm:.4f})"
    title = escape(" · ".join(line.text for line in lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{art.width_mm}mm" height="{art.height_mm}mm"'
        f' viewBox="0 0 {art.width_mm} {art.height_mm}" fill="{art.layout.ink}"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="{art.layout.paper}"/>{outlines}{rules}'
        f'<path transform="{place}" d="{_symbol_path(modules)}" shape-rendering="crispEdges"/></svg>\n'
    )


def _symbol_path(modules: NDArray[np.bool_]) -> str:
    """Horizontal runs of dark modules as one path in module units."""
    path = []
    for y, row in enumerate(modules):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
        path += [f"M{start} {y}h{end - start}v1h-{end - start}z" for start, end in edges.reshape(-1, 2)]
    return "".join(path)
