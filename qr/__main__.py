"""``python -m qr``: codes, labels and verification at the command line, without the web application."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, cast

from qr.art import LabelText, LabelTextTooLong, arrange_for, compose
from qr.codes import CODE_LENGTH, MAX_INDEX, CodeBook, InvalidCode, format_code, normalise_code
from qr.fonts import MissingGlyph
from qr.formats import FORMATS
from qr.keys import KeyFile, KeyFileError
from qr.labels import Labels
from qr.layout import Layout, LayoutInvalid
from qr.picture import render_png, render_svg
from qr.reading import UnreadablePicture
from qr.stock import STOCKS
from qr.symbol import TextTooLong, symbol_family
from qr.verify import GRADES, NoSymbol, verify

PROBLEMS = (
    KeyFileError, LayoutInvalid, LabelTextTooLong, MissingGlyph, TextTooLong, UnreadablePicture, NoSymbol, InvalidCode,
    OSError, ValueError,
)  # fmt: skip


class Refused(ValueError):
    """The command's words or files can't be carried out; says what to change."""


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command. Returns the exit status: 0, or 1 with one line on what is wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.carry_out(options)
    except BrokenPipeError:
        # Who reads our output has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except PROBLEMS as problem:
        sys.stderr.write(f"{parser.prog}: {type(problem).__name__}: {problem}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m qr", description="Label codes, labels and their verification.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("key", help="make a key file; it is never overwritten")
    command.add_argument("file", type=Path)
    command.set_defaults(carry_out=_make_key)

    command = commands.add_parser("codes", help="codes and URLs of a range of a run")
    _add_range(command)
    command.set_defaults(carry_out=_codes)

    command = commands.add_parser("read", help="what a code stands for")
    command.add_argument("--keys", type=Path, required=True)
    command.add_argument("code", nargs="+")
    command.set_defaults(carry_out=_read)

    command = commands.add_parser("layout", help="a layout to begin with, as JSON")
    command.add_argument("stock", choices=sorted(STOCKS))
    command.add_argument("--url", required=True, help="the address that labels carry, such as https://t.qj.cn/")
    command.add_argument("--dpi", type=int)
    command.add_argument("--pin", action="store_true", help="with a PIN under scratch film")
    _add_text(command)
    command.set_defaults(carry_out=_layout)

    command = commands.add_parser("labels", help="a label file")
    _add_range(command)
    command.add_argument("--layout", type=Path, required=True, help="a layout file, JSON or TOML")
    command.add_argument(
        "--format", choices=[*FORMATS, "png", "svg"], default="pdf", help="png and svg: the first label"
    )
    command.add_argument("--out", type=Path, required=True)
    _add_text(command)
    command.set_defaults(carry_out=_labels)

    command = commands.add_parser("verify", help="read and grade the symbol in each photo")
    command.add_argument("picture", nargs="+", type=Path)
    command.set_defaults(carry_out=_verify)
    return parser


def _add_range(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keys", type=Path, required=True, help="the key file")
    command.add_argument("--url", required=True, help="the address that labels carry, such as https://t.qj.cn/")
    command.add_argument("--run", type=int, required=True)
    command.add_argument("--first", type=int, default=0, help="index of the first label (0)")
    command.add_argument("--count", type=int, required=True)
    command.add_argument("--key-number", type=int, help="the newest if not given")


def _add_text(command: argparse.ArgumentParser) -> None:
    names = ", ".join(field.name for field in fields(LabelText))
    command.add_argument("--text", action="append", default=[], metavar="FIELD=TEXT", help=f"one of {names}")


def _make_key(options: argparse.Namespace) -> None:
    KeyFile(options.file).create()
    _say(f"{options.file}: key 1, {KeyFile(options.file).fingerprints()[1]}. Back it up and keep it secret.")


def _read(options: argparse.Namespace) -> None:
    book = KeyFile(options.keys).code_book()
    for text in options.code:
        label = book.read(normalise_code(text))
        _say(f"{format_code(normalise_code(text))}  key {label.key_number}, run {label.run}, index {label.index}")


def _codes(options: argparse.Namespace) -> None:
    labels = _range(options)
    for chunk in labels.chunks(frozenset(), symbols=False):
        for row in chunk.codes:
            code = row.tobytes().decode()
            _say(f"{code},{labels.family.prefix}{code}")


def _layout(options: argparse.Namespace) -> None:
    family = symbol_family(_prefix(options.url), CODE_LENGTH, "best")
    layout = arrange_for(_text(options), STOCKS[options.stock], family.form, options.dpi, pin=options.pin)
    _say(json.dumps(layout.plain(), indent=1))


def _labels(options: argparse.Namespace) -> None:
    labels = _range(options)
    layout = Layout.parse(_read_values(options.layout))
    faults = layout.faults(labels.family.form)
    if faults:
        raise Refused("the labels would not scan: " + "; ".join(_fault(fault) for fault in faults))
    text = _text(options)
    art = compose(text, layout, labels.family.form)
    if missing := _left_off(text, layout):
        sys.stderr.write(f"warning: the labels don't say {', '.join(missing)}, which food law wants on a pack\n")
    with tempfile.NamedTemporaryFile(dir=options.out.parent, prefix=".labels-", delete=False) as file:
        try:
            if options.format == "png":
                file.write(render_png(art, labels, labels.start))
            elif options.format == "svg":
                file.write(render_svg(art, labels, labels.start).encode())
            else:
                FORMATS[options.format].write(cast(BinaryIO, file), art, labels)
            file.close()
            Path(file.name).replace(options.out)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _left_off(text: LabelText, layout: Layout) -> list[str]:
    """The fields that food law wants on a pack and that are not on the labels. Which of the two dates a product must
    have is not known here: one will do, where the other was not given."""
    shown = {name for name in ("net_content", "produced", "best_before") if getattr(text, name)} & layout.field_names
    missing = [name for name in ("net_content", "produced", "best_before") if getattr(text, name) and name not in shown]
    if "net_content" not in {*shown, *missing}:
        missing.insert(0, "net_content")
    if not {"produced", "best_before"} & {*shown, *missing}:
        missing.append("produced or best_before")
    return missing


def _verify(options: argparse.Namespace) -> None:
    for path in options.picture:
        result = verify(path.read_bytes())
        grades = ", ".join(f"{name} {GRADES[grade]}" for name, grade in result.grades.items())
        _say(f"{path}: {result.grade}  {result.text}\n  {grades}")
        for hint in result.hints:
            _say(f"  mend: {hint}")


def _range(options: argparse.Namespace) -> Labels:
    if options.first < 0 or not 1 <= options.count <= MAX_INDEX + 1 - options.first:
        raise Refused(f"--first and --count must lie within the {MAX_INDEX + 1:,} labels of a run")
    book: CodeBook = KeyFile(options.keys).code_book()
    number = book.newest if options.key_number is None else options.key_number
    keys = KeyFile(options.keys).keys()
    if number not in keys:
        raise Refused(f"there is no key {number} in {options.keys}")
    mask: Any = "best"
    if getattr(options, "layout", None):
        mask = Layout.parse(_read_values(options.layout)).symbol.mask
    family = symbol_family(_prefix(options.url), CODE_LENGTH, mask)
    return Labels(family, book, number, options.run, options.first, options.count)


def _prefix(url: str) -> str:
    return url.rstrip("/").upper() + "/"


def _read_values(path: Path) -> Any:
    text = path.read_text("utf-8")
    return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)


def _text(options: argparse.Namespace) -> LabelText:
    known = {field.name for field in fields(LabelText)}
    values = {}
    for entry in options.text:
        name, equals, value = entry.partition("=")
        if name not in known or not equals:
            raise Refused(f"--text {entry!r}: write FIELD=TEXT, with one of {', '.join(sorted(known))}")
        values[name] = value
    return LabelText(**values)


def _fault(fault: Any) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in fault.facts.items())
    nearest = f"; nearest that would do: {fault.proposal:g}" if fault.proposal is not None else ""
    return f"{fault.code} ({facts}{nearest})" if facts or nearest else fault.code


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
