"""Layouts: the built-in ones for every stock, and those that producers make; what a batch's labels say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from decimal import Decimal

from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _

from qr.art import LabelArt, LabelText, LabelTextTooLong, arrange_for, compose
from qr.codes import CODE_LENGTH
from qr.fonts import REGULAR, LabelFont, MissingGlyph
from qr.layout import Fault, Layout, LayoutInvalid, SymbolTooLarge
from qr.stock import STOCKS
from qr.symbol import SymbolForm, TextTooLong, symbol_family
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import RoleName, User
from trace_app.accounts.service import place_name
from trace_app.batches.models import Batch
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.forms import plain_decimal
from trace_app.labels.amounts import grams_of
from trace_app.labels.models import LabelLayout, LabelLevel, LabelRun, PrintJob
from trace_app.labels.service import CONTAINERS, family_of, symbol_prefix
from trace_app.values import StoredJson

FIELD_NAMES = {
    "product": _("产品"),
    "net_content": _("净含量"),
    "lot": _("批次号"),
    "produced": _("采收或生产日期"),
    "best_before": _("保质期"),
    "origin": _("产地"),
    "producer": _("生产者"),
    "marks": _("标志"),
    "level": _("包装级别"),
    "call": _("扫码提示"),
    "pin_call": _("刮开提示"),
    "certificate": _("合格证字样"),
    "code": _("追溯码"),
    "serial": _("序号"),
    "pin": _("验真码（刮开涂层）"),
    "sscc": _("箱号 SSCC"),
    "contents": _("内装件数"),
}
FAULTS = {
    "module-too-small": _("二维码的模块只有 %(module)s 毫米，小于 %(least)s 毫米，手机扫不出。"),
    "module-not-whole-dots": _("二维码的模块是 %(dots)s 个打印点（%(dpi)s dpi），不是整数，边缘会打毛。"),
    "quiet-zone-too-narrow": _("二维码四周的空白只有 %(modules)s 个模块，至少要 4 个。"),
    "symbol-too-large": _("二维码连同空白要 %(side)s 毫米，标签只有 %(room)s 毫米。"),
    "quiet-zone-cut": _("二维码离标签边缘太近：四周要留 %(quiet)s 毫米空白。"),
    "quiet-zone-covered": _("“%(field)s”压住了二维码四周的空白，请移开。"),
    "contrast-too-low": _("墨色与纸色反差只有 %(contrast)s%%，至少要 %(least)s%%，请用更深的墨或更浅的纸。"),
    "code-missing": _("标签上要印追溯码（或箱号），扫不出时才能手工输入。"),
    "box-off-label": _("“%(field)s”超出了标签边缘。"),
    "text-too-small": _("“%(field)s”的字只有 %(size)s 毫米，看不清。"),
}
STANDARD_FIELDS = (
    "product", "certificate", "level", "net_content", "lot", "produced", "best_before", "origin", "producer", "marks",
    "call",
)  # fmt: skip
STANDARD_FIELDS_OF_ITEMS = ("product", "net_content", "lot", "produced", "best_before", "origin", "producer", "call")
LEFT_OUT_FIRST = ("marks", "best_before", "net_content")
LAW_WANTS = ("net_content", "produced", "best_before")
"""What stands on a pack by law (GB 7718, 4.1.5 and 4.1.7), and on a case or pallet what is in it."""
NEAREST = _("最接近的可用值是 %(value)s。")


class UnknownStock(Unprocessable):
    title = _("没有“%(stock)s”这种标签规格，请从列表中选择。")


class TextDoesNotFit(Unprocessable):
    title = _("“%(text)s”（%(field)s）在这种标签上放不下，请改短，或选更大的标签。")


class SymbolDoesNotFit(Unprocessable):
    """What the symbols would carry is too long for this paper, or for any label."""

    title = _("二维码的内容太长，在这种标签上印不出能扫的二维码：请选更大的标签，或不用 GS1 数字链接。")


class CharacterNotPrintable(Unprocessable):
    title = _("标签字体里没有“%(character)s”这个字，请换一种写法。")


class LayoutWouldNotScan(Unprocessable):
    """A layout that keeps labels from being read, with all its faults."""

    title = _("这样的标签扫不出：%(faults)s")


class LayoutNotReadable(Unprocessable):
    title = _("版式数据不完整或有误：%(why)s")


class LayoutNeedsSscc(Unprocessable):
    """A layout shows an SSCC, and the run's labels have none."""

    title = _("这个版式要印箱号 SSCC，但这些标签没有箱号：请选箱或托盘，并先登记 GS1 厂商识别代码。")


class PinNeedsItems(Unprocessable):
    """Labels that all carry one code can't have a PIN each."""

    title = _("整批标签共用一个码，不能印验真码：请改为单件，或换一个没有验真码的版式。")


class LeavesOff(Unprocessable):
    """What food law wants on a pack would not be on the labels, and nobody said that it stands there already."""

    title = _(
        "标签上将没有：%(missing)s。请换大一些的标签纸或改版式，箱和托盘请填写每箱（托）件数；包装上已另有标注的，请勾选“包装上已另有标注”再生成。"
    )


class LayoutNameTaken(Problem):
    title = _("您已有名为“%(name)s”的版式，请换一个名称。")


def layout_of_stock(
    stock: str,
    text: LabelText,
    form: SymbolForm,
    *,
    dpi: int | None = None,
    pin: bool = False,
    sscc: bool = False,
    fields: tuple[str, ...] | None = None,
) -> Layout:
    """The built-in layout of a stock, with the largest symbol that leaves room for the texts.

    On a small label what can be left out is, before it is refused.

    :raises UnknownStock, TextDoesNotFit, SymbolDoesNotFit, CharacterNotPrintable:
    """
    if stock not in STOCKS:
        raise UnknownStock(stock=stock)
    wanted = fields or tuple(name for name in STANDARD_FIELDS if getattr(text, name))
    with _text_problems():
        refusal: LabelTextTooLong | None = None
        for number in range(len(LEFT_OUT_FIRST) + 1):
            shown = tuple(name for name in wanted if name not in LEFT_OUT_FIRST[:number])
            try:
                return arrange_for(text, STOCKS[stock], form, dpi, pin=pin, sscc=sscc, fields=shown)
            except LabelTextTooLong as error:
                refusal = refusal or error
        raise refusal or LayoutInvalid(stock)


@contextmanager
def _text_problems() -> Iterator[None]:
    """Turn what `qr` refuses to the problem that names the field."""
    try:
        yield
    except LabelTextTooLong as error:
        raise TextDoesNotFit(text=error.text, field=FIELD_NAMES.get(error.field, error.field)) from error
    except MissingGlyph as error:
        raise CharacterNotPrintable(character=error.character) from error
    except (SymbolTooLarge, TextTooLong) as error:
        raise SymbolDoesNotFit from error
    except LayoutInvalid as error:
        raise LayoutNotReadable(why=str(error)) from error


def read_layout(plain: StoredJson, form: SymbolForm) -> Layout:
    """A layout from plain values, fit to be scanned.

    :raises LayoutNotReadable, LayoutWouldNotScan:
    """
    with _text_problems():
        layout = Layout.parse(plain)
    faults = layout.faults(form)
    if faults:
        raise LayoutWouldNotScan(faults=" ".join(fault_message(fault) for fault in faults))
    return layout


def fault_message(fault: Fault) -> str:
    """What is wrong with a layout and what would do, in the user's language."""
    facts = dict(fault.facts)
    if "field" in facts:
        facts["field"] = FIELD_NAMES.get(facts["field"], gettext("分隔线"))
    text = str(FAULTS[fault.code]) % facts
    return text + (str(NEAREST) % {"value": f"{fault.proposal:g}"} if fault.proposal is not None else "")


def for_a_table(text: LabelText) -> LabelText:
    """The text of labels of which only a table of codes is made: none of it is printed from here, so a character that
    the font lacks keeps nobody from it. A box stands for that where the label is laid out.
    """
    said = {name: value for name, value in asdict(text).items() if isinstance(value, str)}
    while True:
        try:
            LabelFont("".join(said.values()), REGULAR)
        except MissingGlyph as missing:
            said = {name: value.replace(missing.character, "□") for name, value in said.items()}
        else:
            return replace(text, **said)


def art_of(text: LabelText, layout: Layout, form: SymbolForm) -> LabelArt:
    """The composed label.

    :raises TextDoesNotFit, CharacterNotPrintable:
    """
    with _text_problems():
        return compose(text, layout, form)


def label_text(
    batch: Batch, level: LabelLevel = LabelLevel.ITEM, items_each: int | None = None, certificate: str = ""
) -> LabelText:
    """What a batch's labels say, in Chinese: the labels are printed here.

    :param items_each: how many single items are in a case or on a pallet.
    :param certificate: the words of labels that are the lot's certificate, see `certified`.
    """
    with force_locale("zh_CN"):
        words = batch.product.kind.words["zh"]
        return LabelText(
            product=batch.product.name,
            net_content=_contents(batch, items_each) if level in CONTAINERS else batch.product.net_content,
            lot=gettext("批次 %(lot)s", lot=batch.lot_number),
            produced=f"{batch.produced_on:%Y-%m-%d} {words['produced']}" if batch.produced_on else "",
            best_before=gettext("保质期至 %(day)s", day=batch.best_before) if batch.best_before else "",
            origin=gettext("产地 云南%(place)s", place=place_name(batch.division, "zh").removeprefix("曲靖市")),
            producer=batch.producer.name,
            marks=batch.product.marks,
            level={LabelLevel.CASE: gettext("整箱"), LabelLevel.PALLET: gettext("托盘")}.get(level, ""),
            call=gettext("扫码溯源"),
            pin_call=gettext("刮开验真"),
            certificate=certificate,
        )


def _contents(batch: Batch, items_each: int | None) -> str:
    """How many and how much is in a case or on a pallet; the mass where the net content of an item tells it."""
    if items_each is None:
        return ""
    grams = grams_of(batch.product.net_content)
    if grams is None:
        return str(gettext("内装 %(count)s 件", count=items_each))
    mass = plain_decimal((grams * items_each / 1000).quantize(Decimal("0.001")))
    return str(gettext("内装 %(count)s 件 共 %(mass)s 公斤", count=items_each, mass=mass))


def left_off(layout: Layout, text: LabelText, level: LabelLevel) -> list[str]:
    """The fields that law wants on a pack and that would not be on these labels: the layout has no place for what the
    lot has to say, or nobody said how much is in a case."""
    missing = [name for name in LAW_WANTS if getattr(text, name) and name not in layout.field_names]
    untold = level in CONTAINERS and not text.net_content
    return ["contents", *missing] if untold else missing


def must_say_all(layout: Layout, text: LabelText, level: LabelLevel) -> None:
    """:raises LeavesOff: where something that law wants would not be on the labels."""
    missing = left_off(layout, text, level)
    if missing:
        names = "、".join(str(FIELD_NAMES[name]) for name in missing)
        raise LeavesOff(missing=names)


def sample_text() -> LabelText:
    """What a preview says where the producer has no batch yet."""
    with force_locale("zh_CN"):
        return LabelText(
            product=gettext("产品名称"),
            net_content=gettext("净重 500 克"),
            lot=gettext("批次 %(lot)s", lot="20261106-01"),
            produced=gettext("2026-11-06 采收"),
            best_before=gettext("保质期至 %(day)s", day="2027-11-05"),
            origin=gettext("产地 云南%(place)s", place=gettext("罗平县板桥镇")),
            producer=gettext("生产者名称"),
            marks=gettext("地理标志产品"),
            level=gettext("整箱"),
            call=gettext("扫码溯源"),
            pin_call=gettext("刮开验真"),
            certificate="承诺达标合格证",
        )


def layouts_of(user: User) -> list[LabelLayout]:
    query = db.select(LabelLayout).filter_by(producer_id=user.organisation_id).order_by(LabelLayout.name)
    return list(db.session.scalars(query))


def layout_row_for(user: User, layout_id: int) -> LabelLayout:
    """One of the user's own layouts.

    :raises NotFound: where there is none.
    """
    row = db.session.get(LabelLayout, layout_id)
    if row is None or user.role is not RoleName.PRODUCER or row.producer_id != user.organisation_id:
        raise NotFound
    return row


def save_layout(user: User, row: LabelLayout | None, name: str, plain: StoredJson) -> LabelLayout:
    """Keep a layout under a name.

    :raises LayoutNameTaken, LayoutNotReadable, LayoutWouldNotScan:
    """
    layout = read_layout(plain, plain_form())
    with db.session.no_autoflush:
        known = db.session.scalar(db.select(LabelLayout.id).filter_by(producer_id=user.organisation_id, name=name))
    if known is not None and (row is None or known != row.id):
        raise LayoutNameTaken(name=name)
    row = row or LabelLayout(producer_id=user.organisation_id, created_by_id=user.id)
    row.name, row.plain = name, layout.plain()
    db.session.add(row)
    db.session.flush()
    audit.note(user, "change", row, name=name)
    return row


def delete_layout(user: User, row: LabelLayout) -> None:
    """Forget a layout. Print jobs that were made with it keep their copy."""
    audit.note(user, "delete", row, name=row.name)
    db.session.delete(row)


def plain_form() -> SymbolForm:
    """The form of symbols that carry a plain code."""
    return symbol_family(symbol_prefix(""), CODE_LENGTH, "best").form


def layout_for_run(user: User, run: LabelRun, wish: str, text: LabelText, *, pin: bool) -> tuple[str, Layout]:
    """The name and layout that a producer chose for a run, checked with the run's symbols and texts.

    :param wish: a stock with a resolution, as ``roll-60x40@203``, or ``own-`` and the number of a layout.
    :raises UnknownStock, TextDoesNotFit, CharacterNotPrintable, LayoutNotReadable, LayoutWouldNotScan,
        LayoutNeedsSscc, PinNeedsItems, NotFound:
    """
    with _text_problems():
        form = family_of(run).form
    if wish.startswith("own-") and wish[4:].isdigit():
        row = layout_row_for(user, int(wish[4:]))
        layout = read_layout(row.plain, form)
        if "sscc" in layout.field_names and not run.sscc_stem:
            raise LayoutNeedsSscc
        if shows_pin(layout) and run.level is LabelLevel.BATCH:
            raise PinNeedsItems
        art_of(text, layout, form)
        return row.name, layout
    if pin and run.level is LabelLevel.BATCH:
        raise PinNeedsItems
    stock, _at, dpi = wish.partition("@")
    if stock not in STOCKS or (dpi and (not dpi.isdigit() or int(dpi) not in STOCKS[stock].dpi_choices)):
        raise UnknownStock(stock=wish)
    layout = layout_of_stock(stock, text, form, dpi=int(dpi) if dpi else None, pin=pin, sscc=bool(run.sscc_stem))
    return wish, layout


def layout_of_job(job: PrintJob) -> Layout:
    """The layout that a job was asked for with.

    :raises LayoutNotReadable:
    """
    with _text_problems():
        if job.layout:
            return Layout.parse(job.layout)
        # Made before layouts were data: the stock's own.
        return layout_of_stock(job.layout_name, label_text(job.run.batch), family_of(job.run).form)


def shows_pin(layout: Layout) -> bool:
    return "pin" in layout.field_names
