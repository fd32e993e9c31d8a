"""Changes the product a little in one place at a time, and asks the tests whether they notice.

``make mutate`` (or ``python -m tests.mutate --count 30 --seed 7``) takes a sample with a fixed seed from the modules
that carry the promises. Each change is made in a copy of the tree; the tests that run the changed line come first,
those of its own area before others. What no test notices is listed; what changes nothing that anyone could see is
named with its reason in ``equivalent_mutants.txt`` and not counted. All tests run on SQLite.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage

ROOT = Path(__file__).parents[1]
MODULES = [
    "trace_app/release/**/*.py",
    "trace_app/laboratory/*.py",
    "trace_app/recalls/*.py",
    "trace_app/recall_tasks/*.py",
    "trace_app/accounts/access.py",
    "trace_app/batches/service.py",
    "trace_app/records/*.py",
    "trace_app/flow/**/*.py",
    "trace_app/labels/*.py",
    "trace_app/messages/outgoing.py",
    "trace_app/spreadsheets.py",
]
"""Where the promises are kept."""
LEFT_OUT = [
    "*models.py",
    "*forms.py",
    "*views.py",
    "*texts.py",
    "*papers.py",
    "*feeds.py",
    "*layouts.py",
    "*picture.py",
    "*delivery_note.py",
    "*__init__.py",
]
"""Of these folders, what makes no decision."""
TESTS = "tests/trace_app"
SLOW = ["freshness", "demo", "crawl", "serving", "processes", "fuzz", "malformed", "command", "killed"]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
MOST_TESTS = 60
TIME_S = 240
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
CONDITIONS = {"where", "and_", "or_", "filter_by"}


@dataclass(frozen=True)
class Mutant:
    """One change: in a file, at a line, of what to what, and the whole file as it reads then."""

    path: str
    line: int
    change: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.path}: {self.change}"


def places_in(path: Path) -> Iterator[tuple[Path, int, int]]:
    """Every small change that a module allows: the number of the node, and which way it is changed."""
    tree = ast.parse(path.read_text("utf-8"))
    parents = _parents(tree)
    for number, node in enumerate(ast.walk(tree)):
        if not _says_nothing(node, parents):
            yield from ((path, number, way) for way in range(len(_changed(node))))


def mutant_at(path: Path, number: int, way: int) -> Mutant:
    tree = ast.parse(path.read_text("utf-8"))
    node = list(ast.walk(tree))[number]
    new, parent = _changed(node)[way], _parents(tree)[node]
    before, after = (ast.unparse(one).split("\n")[0] for one in (node, new))
    for name, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, name, new)
        elif isinstance(value, list) and node in value:
            value[value.index(node)] = new
    text = ast.unparse(ast.fix_missing_locations(tree))
    return Mutant(path.relative_to(ROOT).as_posix(), node.lineno, f"{before} -> {after}", text)


def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}


def _changed(node: ast.AST) -> list[ast.AST]:
    """What a node may be changed to."""
    found: list[ast.AST] = []
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPS:
        found.append(_with(node, ops=[SWAPS[type(node.ops[0])]()]))
    elif (
        isinstance(node, ast.BoolOp)
        or isinstance(node, ast.BinOp)
        and type(node.op) in SWAPS
        and not isinstance(node.left, ast.Constant | ast.Name)
    ):
        found.append(_with(node, op=SWAPS[type(node.op)]()))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        found.append(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int):
        found.append(ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        found.append(ast.Pass())
    elif isinstance(node, ast.If):
        found.append(_with(node, test=ast.Constant(value=False)))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CONDITIONS:
        args = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
        found += [_with(node, args=[a for a in node.args if a is not one]) for one in args if len(node.args) > 1]
    return found


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def _says_nothing(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a node stands outside of functions and classes' methods, or is a type."""
    above, inside = node, False
    while above in parents:
        if isinstance(parents[above], ast.AnnAssign | ast.arg) and getattr(parents[above], "annotation", None) is above:
            return True
        above = parents[above]
        inside = inside or isinstance(above, ast.FunctionDef)
        if isinstance(above, ast.Call) and isinstance(above.func, ast.Name) and above.func.id in {"cast", "_"}:
            return True
    return not inside


def files() -> list[Path]:
    """The modules that changes are made in."""
    found = {path for pattern in MODULES for path in ROOT.glob(pattern)}
    return sorted(
        p for p in found if p.name == "forms.py" and p.parent.name == "trace_app" or not any(map(p.match, LEFT_OUT))
    )


def tests_by_line(data: Path) -> coverage.CoverageData:
    """Which tests run which lines; measured anew where there is no measurement yet."""
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        settings = data.with_suffix(".ini")
        settings.write_text(f"[run]\ndynamic_context = test_function\ndata_file = {data}\nsource = trace_app\n")
        run = [
            sys.executable,
            "-m",
            "coverage",
            "run",
            f"--rcfile={settings}",
            "-m",
            "pytest",
            "-q",
            TESTS,
            "-k",
            _wanted(),
        ]
        subprocess.run(run, cwd=ROOT, check=False)
    found = coverage.CoverageData(str(data))
    found.read()
    return found


def _wanted() -> str:
    return "not postgresql and not " + " and not ".join(SLOW)


def tests_for(mutant: Mutant, data: coverage.CoverageData) -> list[str]:
    """The tests that run a line, as pytest names them; those of the line's own area first."""
    contexts = data.contexts_by_lineno(str(ROOT / mutant.path)).get(mutant.line, [])
    area = Path(mutant.path).parts[1:]
    found = []
    for context in filter(None, contexts):
        parts = context.split(".")
        last = next(index for index, part in enumerate(parts) if part.startswith("test_"))
        found.append("/".join(parts[: last + 1]) + ".py::" + "::".join(parts[last + 1 :]))
    near = [name for name in found if any(part.removesuffix(".py").rstrip("s") in name for part in area)]
    return list(dict.fromkeys(near + sorted(found)))[:MOST_TESTS]


def notices(mutant: Mutant, tree: Path, tests: list[str]) -> str:
    """How the tests took a change: caught, or not."""
    if not tests:
        return "NOT NOTICED, no test runs it"
    place = tree / mutant.path
    original = place.read_text("utf-8")
    place.write_text(mutant.text, "utf-8")
    try:
        options = ["-q", "-x", "-p", "no:cacheprovider", "-k", _wanted()]
        run = [sys.executable, "-m", "pytest", *options, *tests]
        with subprocess.Popen(
            run, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True
        ) as process:
            try:
                said, _ = process.communicate(timeout=TIME_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return "caught (no end)"
        if process.returncode == 0:
            return "NOT NOTICED"
        return "caught" if process.returncode == 1 else f"no answer: {said[-300:]}"
    finally:
        place.write_text(original, "utf-8")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=100)
    asked.add_argument("--seed", type=int, default=20261128)
    asked.add_argument("--data", type=Path, default=ROOT / "var/mutate/coverage.sqlite")
    wish = asked.parse_args()
    data = tests_by_line(wish.data)
    known = {line.split(" # ")[0] for line in EQUIVALENT.read_text("utf-8").splitlines() if " # " in line}
    pool = [place for path in files() for place in places_in(path)]
    sample = [mutant_at(*place) for place in random.Random(wish.seed).sample(pool, min(wish.count, len(pool)))]
    caught = counted = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        leave = shutil.ignore_patterns("var", ".git", ".venv", "__pycache__", ".hypothesis")
        shutil.copytree(ROOT, tree, ignore=leave, symlinks=True)
        for mutant in sample:
            if mutant.name in known:
                continue
            answer = notices(mutant, tree, tests_for(mutant, data))
            counted, caught = counted + 1, caught + answer.startswith("caught")
            print(f"{answer}: {mutant.path}:{mutant.line}: {mutant.change}"[:300], flush=True)
    print(
        f"{caught} of {counted} changes caught, out of {len(pool)} that can be made;"
        f" {len(sample) - counted} change nothing"
    )
    sys.exit(caught < 0.95 * counted)


if __name__ == "__main__":
    main()
