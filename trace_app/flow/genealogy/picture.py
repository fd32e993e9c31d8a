"""A genealogy as a picture: columns of lots from what went in to what came out, drawn by the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from trace_app.batches.models import Batch
from trace_app.flow.genealogy.service import Genealogy, GenealogyStep

NODE_WIDTH, NODE_HEIGHT = 168, 46
GAP_X, GAP_Y = 76, 12
MARGIN = 10
MOST_NODES = 200
"""The most nodes that are drawn; beyond them columns are folded."""


@dataclass(frozen=True, slots=True)
class Node:
    lot: Batch
    x: float
    y: float
    column: int


@dataclass(frozen=True, slots=True)
class Fold:
    """What a column does not show."""

    count: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Sizes in pixels. ``edges`` are SVG paths from the right side of a lot to the left of the next."""

    width: float
    height: float
    nodes: list[Node]
    edges: list[str]
    folds: list[Fold]


def draw(genealogy: Genealogy) -> Picture:
    """Lay a genealogy out: the lot asked about in the middle, each column ordered by its neighbours' places."""
    columns = _columns(genealogy)
    most = _most_in_a_column(columns)
    ordered = _ordered(columns, [*genealogy.backward, *genealogy.forward])
    first = min(columns)
    tallest = max(min(len(ids), most) + (len(ids) > most) for ids in columns.values())
    height = 2 * MARGIN + tallest * (NODE_HEIGHT + GAP_Y) - GAP_Y
    nodes: dict[int, Node] = {}
    folds: list[Fold] = []
    for column, ids in ordered.items():
        x = MARGIN + (column - first) * (NODE_WIDTH + GAP_X)
        shown, hidden = ids[:most], len(ids) - most
        rows = len(shown) + (hidden > 0)
        y = (height - rows * (NODE_HEIGHT + GAP_Y) + GAP_Y) / 2
        for lot_id in shown:
            nodes[lot_id] = Node(genealogy.lots[lot_id], x, y, column)
            y += NODE_HEIGHT + GAP_Y
        if hidden > 0:
            folds.append(Fold(hidden, x, y))
    drawn = dict.fromkeys((step.source_id, step.target_id) for step in [*genealogy.backward, *genealogy.forward])
    edges = [_path(nodes[source], nodes[target]) for source, target in drawn if source in nodes and target in nodes]
    width = 2 * MARGIN + len(range(first, max(columns) + 1)) * (NODE_WIDTH + GAP_X) - GAP_X
    return Picture(width, height, list(nodes.values()), edges, folds)


def _columns(genealogy: Genealogy) -> dict[int, list[int]]:
    """Lots by column: as far from the middle as the longest way, so that every link goes to the right."""
    place = {genealogy.batch.id: 0}
    for steps, near, far, sign in (
        (genealogy.forward, "source_id", "target_id", 1),
        (genealogy.backward, "target_id", "source_id", -1),
    ):
        links: dict[int, list[int]] = defaultdict(list)
        for step in steps:
            links[getattr(step, near)].append(getattr(step, far))
        distance = _longest_ways(genealogy.batch.id, links)
        place |= {lot_id: sign * steps_away for lot_id, steps_away in distance.items() if lot_id != genealogy.batch.id}
    columns: dict[int, list[int]] = defaultdict(list)
    for lot_id, column in place.items():
        columns[column].append(lot_id)
    return dict(sorted(columns.items()))


def _longest_ways(start: int, links: dict[int, list[int]]) -> dict[int, int]:
    """Links on the longest way from a lot to each other; there are no circles."""
    arriving: dict[int, int] = defaultdict(int)
    for others in links.values():
        for other in others:
            arriving[other] += 1
    distance, free = {start: 0}, [start]
    while free:
        lot_id = free.pop()
        for other in links.get(lot_id, ()):
            distance[other] = max(distance.get(other, 0), distance[lot_id] + 1)
            arriving[other] -= 1
            if not arriving[other]:
                free.append(other)
    return distance


def _most_in_a_column(columns: dict[int, list[int]]) -> int:
    most = max(len(ids) for ids in columns.values())
    while most > 1 and sum(min(len(ids), most) for ids in columns.values()) > MOST_NODES:
        most -= 1
    return most


def _ordered(columns: dict[int, list[int]], steps: Sequence[GenealogyStep]) -> dict[int, list[int]]:
    """Each column by the mean place of its neighbours, from the middle outward (barycentre)."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for step in steps:
        neighbours[step.source_id].add(step.target_id)
        neighbours[step.target_id].add(step.source_id)
    place = {lot_id: float(n) for ids in columns.values() for n, lot_id in enumerate(ids)}
    found = dict(columns)
    for column in sorted(columns, key=abs):
        if column == 0:
            continue
        inner = set(columns.get(column - (1 if column > 0 else -1), ()))

        middle = {}
        for lot_id in columns[column]:
            near = [place[other] for other in neighbours[lot_id] & inner]
            middle[lot_id] = (sum(near) / len(near) if near else place[lot_id], lot_id)
        found[column] = sorted(columns[column], key=middle.__getitem__)
        size = len(found[column])
        place |= {lot_id: (n + 0.5) / size for n, lot_id in enumerate(found[column])}
    return found


def _path(source: Node, target: Node) -> str:
    x1, y1 = source.x + NODE_WIDTH, source.y + NODE_HEIGHT / 2
    x2, y2 = target.x, target.y + NODE_HEIGHT / 2
    bend = max((x2 - x1) / 2, 30)
    return f"M{x1:.0f} {y1:.1f}C{x1 + bend:.0f} {y1:.1f} {x2 - bend:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
