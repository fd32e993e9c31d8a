"""The print room: labels of a batch and their files, own layouts, checking prints, packing."""

from __future__ import annotations

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from qr.codes import format_code
from qr.layout import Layout
from qr.reading import UnreadablePicture
from qr.stock import STOCKS
from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches import service as batches
from trace_app.body_limits import takes_uploads
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.extensions import limiter
from trace_app.forms import choices
from trace_app.labels import advice, certified, layouts, packing, printing, service
from trace_app.labels.amounts import TooManyLabels, label_room
from trace_app.labels.contents import ContentsDiffer
from trace_app.labels.downloads import volume_response
from trace_app.labels.forms import (
    LEVELS,
    STOCK_NAMES,
    LayoutForm,
    LayoutStartForm,
    PackForm,
    PictureForm,
    RangeForm,
    ReprintForm,
    RunForm,
)
from trace_app.labels.models import LabelRun, PrintJob, PrintStatus
from trace_app.labels.pictures import codes_in_picture, grade_picture
from trace_app.language import named
from trace_app.lists import Column, ListShape, typed_search
from trace_app.sent_once import makes_once
from trace_app.templating import register_words, status_of
from trace_app.values import StoredJson
from trace_app.whole_numbers import row_number

views = Blueprint("labels", __name__)

CODES_PER_PAGE = 100
SECONDS_BETWEEN_LOOKS = "2"
NOT_OURS = _("二维码能读，但不是本平台的追溯码。")


@views.get("/labels")
@allow(RoleName.PRODUCER)
def index() -> ResponseReturnValue:
    search = typed_search()
    listing = PRINT_JOBS.asked(printing.jobs_of(the_user(), search), {"q": search})
    return listing.file() or render_template("labels/index.html", listing=listing)


@views.route("/batches/<int:batch_id>/labels", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def of_batch(batch_id: int) -> ResponseReturnValue:
    batch = batches.own_batch(the_user(), batch_id)
    same = {}
    if request.method == "GET" and (copied := request.args.get("like", type=row_number)) is not None:
        same = printing.order_like(the_user(), copied)
    form = RunForm(user=the_user(), data=same)
    if form.validate_on_submit():
        with form.refusals(
            count=service.CountOutOfRange,
            stock=(
                layouts.UnknownStock,
                layouts.TextDoesNotFit,
                layouts.SymbolDoesNotFit,
                layouts.LayoutWouldNotScan,
                layouts.LayoutNeedsSscc,
            ),
            pin=layouts.PinNeedsItems,
            format=printing.FormatNeedsRoll,
            link=(service.NoGtin, service.LotNotForGs1),
            as_certificate=(
                certified.NoCertificateBehindThem,
                certified.CertificateStaysApart,
                certified.NoPlaceForTheWords,
                certified.TableHasNoWords,
            ),
            marked_elsewhere=layouts.LeavesOff,
            excess_reason=TooManyLabels,
        ):
            with transaction():
                job = printing.order_labels(the_user(), batches.own_batch(the_user(), batch_id), **form.order)
            printing.enqueue(job)
        if not form.errors:
            return redirect(url_for("labels.run", run_id=job.run_id))
        batch = batches.own_batch(the_user(), batch_id)
    page = render_template(
        "labels/batch.html",
        form=form,
        batch=batch,
        runs=service.runs_of(batch),
        printable=service.is_printable(batch),
        room=label_room(batch),
        certifiable=certified.may_be_certificate(batch),
    )
    return page, status_of(form)


STATUSES = {
    PrintStatus.WAITING: _("排队中"),
    PrintStatus.WORKING: _("生成中"),
    PrintStatus.READY: _("可下载"),
    PrintStatus.FAILED: _("失败"),
    PrintStatus.CANCELLED: _("已取消"),
}


register_words(views, label_level=LEVELS, label_stock=STOCK_NAMES, job_status=STATUSES)
views.add_app_template_filter(printing.progress_of, "progress")
views.add_app_template_filter(service.code_of)


@views.app_template_filter()
def layout_name(name: str) -> str:
    """A built-in layout's name as people know it; an own one's as it is."""
    stock, at, dpi = name.partition("@")
    return f"{STOCK_NAMES[stock]}{f' · {dpi} dpi' if at else ''}" if stock in STOCK_NAMES else name


STATUS_MARKS = {
    PrintStatus.WAITING: "warn",
    PrintStatus.WORKING: "warn",
    PrintStatus.READY: "",
    PrintStatus.FAILED: "bad",
    PrintStatus.CANCELLED: "plain",
}


PRINT_JOBS = ListShape(
    "labels.index",
    _("打印任务"),
    (
        Column("lot", _("批次号"), lambda row: row.run.batch.lot_number),
        Column("product", _("产品"), lambda row: named(row.run.batch.product)),
        Column("state", _("状态"), lambda row: str(STATUSES[row.status]), tag=lambda row: STATUS_MARKS[row.status]),
        Column("count", _("张数"), lambda row: row.count, PrintJob.count),
        Column("layout", _("纸张"), lambda row: layout_name(row.layout_name)),
        Column("format", _("格式"), lambda row: row.format.upper()),
        Column("at", _("时间"), lambda row: row.created_at, PrintJob.created_at),
    ),
    PrintJob.id,
    "-at",
    lambda row: url_for("labels.run", run_id=row.run_id),
    printing.SHOWN,
)


@views.get("/labels/<int:run_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def run(run_id: int) -> ResponseReturnValue:
    return _run_page(service.run_for(the_user(), run_id), RangeForm(formdata=None), None)


def _run_page(row: LabelRun, void_form: RangeForm, reprint_form: ReprintForm | None) -> ResponseReturnValue:
    start = max(0, request.args.get("start", 0, type=row_number))
    own = the_user().role is RoleName.PRODUCER
    reprint_form = reprint_form or _reprint_form(row, formdata=None)
    busy = any(job.status in {PrintStatus.WAITING, PrintStatus.WORKING} for job in row.jobs)
    refused = bool(void_form.errors or reprint_form.errors)
    page = render_template(
        "labels/run.html",
        run=row,
        batch=row.batch,
        start=start,
        step=CODES_PER_PAGE,
        codes=service.codes_of(row, start, CODES_PER_PAGE),
        is_void=service.is_void,
        voided_count=service.voided_count(row),
        printable=service.is_printable(row.batch),
        own=own,
        void_form=void_form,
        reprint_form=reprint_form,
        looks_again=busy and not refused,
    )
    response = Response(page, mimetype="text/html", status=422 if refused else 200)
    if busy and not refused:
        # Without script: the page looks again by itself until the files are there. It has no form then, in which
        # what is being typed would be lost.
        response.headers["Refresh"] = SECONDS_BETWEEN_LOOKS
    return response


def _reprint_form(row: LabelRun, **options: object) -> ReprintForm:
    form = ReprintForm(**options)
    form.job.choices = choices(
        (job.id, f"{layout_name(job.layout_name)} · {job.format.upper()}") for job in reversed(row.jobs)
    )
    return form


@views.post("/labels/<int:run_id>/reprint")
@allow(RoleName.PRODUCER)
@makes_once
def reprint(run_id: int) -> ResponseReturnValue:
    row = service.printable_run(the_user(), run_id)
    form = _reprint_form(row)
    if form.validate_on_submit():
        with form.refusals(last=(service.RangeOutOfRun, ContentsDiffer)):
            with transaction():
                row = service.run_for(the_user(), run_id)
                model = printing.job_for(the_user(), int(form.job.data))
                job = printing.print_again(
                    the_user(), row, model, form.first.data - 1, form.last.data - 1, form.reason.data
                )
            printing.enqueue(job)
        if not form.errors:
            return redirect(url_for("labels.run", run_id=run_id))
        row = service.run_for(the_user(), run_id)
    return _run_page(row, RangeForm(formdata=None), form)


@views.post("/labels/<int:run_id>/void")
@allow(RoleName.PRODUCER)
def void(run_id: int) -> ResponseReturnValue:
    row = service.run_for(the_user(), run_id)
    form = RangeForm()
    if form.validate_on_submit():
        with form.refusals(last=(service.RangeOutOfRun, service.AlreadyVoid)), transaction():
            row = service.run_for(the_user(), run_id)
            service.void_labels(the_user(), row, form.first.data - 1, form.last.data - 1, form.reason.data)
        if not form.errors:
            flash(_("已作废。再有人扫到这些标签，会看到“此标签已作废”。"))
            return redirect(url_for("labels.run", run_id=run_id))
        row = service.run_for(the_user(), run_id)
    return _run_page(row, form, None)


@views.post("/labels/jobs/<int:job_id>/cancel")
@allow(RoleName.PRODUCER)
def cancel(job_id: int) -> ResponseReturnValue:
    with transaction():
        job = printing.job_for(the_user(), job_id)
        printing.cancel(the_user(), job)
    printing.enqueue_clearing(job)
    flash(_("已取消。号码保留，可以重做、补打或作废。"))
    return redirect(url_for("labels.run", run_id=job.run_id))


@views.post("/labels/jobs/<int:job_id>/retry")
@allow(RoleName.PRODUCER)
def retry(job_id: int) -> ResponseReturnValue:
    with transaction():
        job = printing.job_for(the_user(), job_id)
        printing.retry(the_user(), job)
    printing.enqueue(job)
    return redirect(url_for("labels.run", run_id=job.run_id))


@views.get("/labels/jobs/<int:job_id>/<int:volume>")
@allow(RoleName.PRODUCER)
def download(job_id: int, volume: int) -> ResponseReturnValue:
    return volume_response(printing.volume_for(the_user(), job_id, volume))


@views.get("/labels/<int:run_id>/<int:index>.<any(png, svg):form>")
@allow(RoleName.PRODUCER)
def picture(run_id: int, index: int, form: str) -> ResponseReturnValue:
    row = service.printable_run(the_user(), run_id)
    kind = "image/png" if form == "png" else "image/svg+xml"
    response = Response(printing.picture_of(row, index, form), mimetype=kind)
    response.headers["Content-Disposition"] = f'inline; filename="{service.code_of(row, index)}.{form}"'
    return response


@views.route("/labels/check", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@limiter.limit("30/minute", methods=["POST"])
@takes_uploads
def check() -> ResponseReturnValue:
    """A photo of a printed label is read and graded."""
    # OpenCV is large: loaded where a picture is looked at.
    from qr.verify import GRADES, NoSymbol, NotGradable

    form = PictureForm()
    result, problem = None, None
    if form.validate_on_submit():
        data = form.picture.data.read() if form.picture.data else b""
        try:
            result = grade_picture(data)
        except UnreadablePicture:
            problem = _("请选择一张标签的照片（JPEG、PNG 或 WebP，不超过 6000 万像素）。")
        except NoSymbol:
            problem = _("照片里没有找到二维码。请对准标签、靠近、在亮处再拍一张。")
        except NotGradable:
            problem = NOT_OURS
    label = None
    if result is not None and result.text:
        try:
            label = packing.label_from_scan(result.text)
        except packing.NoSuchLabel:
            problem = NOT_OURS
    page = render_template(
        "labels/check.html",
        form=form,
        result=result,
        problem=problem,
        label=label,
        grades=GRADES,
        parameters=advice.PARAMETERS,
        hints=advice.HINTS,
        verdicts=advice.VERDICTS,
    )
    return page, 422 if problem and result is None else 200


@views.get("/layouts")
@allow(RoleName.PRODUCER)
def layout_list() -> ResponseReturnValue:
    return render_template("labels/layouts.html", rows=layouts.layouts_of(the_user()), form=LayoutStartForm())


@views.route("/layouts/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def new_layout() -> ResponseReturnValue:
    start = LayoutStartForm(request.args)
    if not start.validate():
        return redirect(url_for("labels.layout_list"))
    layout = layouts.layout_of_stock(
        start.stock.data,
        layouts.sample_text(),
        layouts.plain_form(),
        pin=start.pin.data,
        sscc=start.sscc.data,
        fields=layouts.STANDARD_FIELDS_OF_ITEMS,
    )
    return _edit_layout(None, layout.plain())


@views.route("/layouts/<int:layout_id>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def edit_layout(layout_id: int) -> ResponseReturnValue:
    row = layouts.layout_row_for(the_user(), layout_id)
    return _edit_layout(row.id, row.plain, row.name)


def _edit_layout(layout_id: int | None, plain: StoredJson, name: str = "") -> ResponseReturnValue:
    """The editor. Saving is one of its buttons; the others add a box or show the preview."""
    form = LayoutForm(stock=plain["stock"], data=LayoutForm.values_of(plain) | {"name": name})
    valid = form.validate_on_submit()
    if "add" in request.form and len(form.boxes) < (form.boxes.max_entries or 0):
        form.boxes.append_entry({"x": 2, "y": 2, "width": 20, "height": 5, "size_mm": 2.5, "shrink": True})
    elif valid and "preview" not in request.form:
        with form.refusals(name=layouts.LayoutNameTaken), transaction():
            row = layouts.layout_row_for(the_user(), layout_id) if layout_id else None
            layouts.save_layout(the_user(), row, form.name.data, form.plain)
        if not form.errors:
            flash(_("版式已保存，打印标签时可以选它。"))
            return redirect(url_for("labels.layout_list"))
    page = render_template(
        "labels/layout.html",
        form=form,
        layout_id=layout_id,
        stock=STOCKS[plain["stock"]],
        **_previewed(form.plain if valid else plain if request.method == "GET" else None),
    )
    return page, status_of(form)


def _previewed(plain: StoredJson | None) -> dict[str, str | list[str]]:
    """The preview of a layout as SVG, and what is wrong with it."""
    if plain is None:
        return {"svg": "", "faults": []}
    try:
        svg, faults = printing.preview(the_user(), Layout.parse(plain))
    except (Problem, ValueError) as problem:
        return {"svg": "", "faults": [problem.message if isinstance(problem, Problem) else str(problem)]}
    return {"svg": svg, "faults": faults}


@views.post("/layouts/preview/<any({stocks}):stock>".format(stocks=", ".join(f'"{name}"' for name in STOCKS)))
@allow(RoleName.PRODUCER)
@limiter.limit("240/minute")
def preview(stock: str) -> ResponseReturnValue:
    """The live preview of the editor: SVG and faults as JSON."""
    form = LayoutForm(stock=stock)
    if not form.validate():
        messages = [str(m) for name, found in form.errors.items() if name != "name" for m in _flat(found)]
        if messages:
            return jsonify(svg="", faults=sorted(set(messages)))
    found = _previewed(form.plain)
    return jsonify(svg=str(found["svg"]), faults=[str(fault) for fault in found["faults"]])


def _flat(found: object) -> list[object]:
    if isinstance(found, dict):
        return [m for part in found.values() for m in _flat(part)]
    if isinstance(found, list | tuple):
        return [m for part in found for m in _flat(part)]
    return [found]


@views.post("/layouts/<int:layout_id>/delete")
@allow(RoleName.PRODUCER)
def delete_layout(layout_id: int) -> ResponseReturnValue:
    with transaction():
        layouts.delete_layout(the_user(), layouts.layout_row_for(the_user(), layout_id))
    flash(_("版式已删除。"))
    return redirect(url_for("labels.layout_list"))


@views.route("/labels/pack", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def pack_start() -> ResponseReturnValue:
    """Scan a case or pallet to begin with."""
    form = PackForm()
    if form.validate_on_submit():
        with form.refusals(code=packing.NotAContainer):
            try:
                label, _batch = packing.own_container(the_user(), form.code.data)
            except packing.NoSuchLabel as problem:
                form.refuse("code", problem.message)
        if not form.errors:
            return redirect(url_for("labels.pack", code=label.code))
    return render_template("labels/pack_start.html", form=form), status_of(form)


@views.route("/labels/pack/<code>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def pack(code: str) -> ResponseReturnValue:
    """What is scanned goes into the container, until the next container is scanned."""
    container, batch = packing.own_container(the_user(), code)
    form = PackForm()
    if form.validate_on_submit():
        try:
            with transaction():
                container, batch = packing.own_container(the_user(), code)
                label = packing.pack(the_user(), container, form.code.data)
            flash(_("已装入 %(code)s。", code=format_code(label.code)))
            return redirect(url_for("labels.pack", code=code))
        except Problem as problem:
            form.refuse("code", problem.message)
        container, batch = packing.own_container(the_user(), code)
    page = render_template(
        "labels/pack.html",
        form=form,
        picture_form=PictureForm(formdata=None),
        container=container,
        batch=batch,
        contents=packing.contents_of(container),
        holds=printing.contents_text(batch, container),
    )
    return page, status_of(form)


@views.post("/labels/pack/<code>/photo")
@allow(RoleName.PRODUCER)
@limiter.limit("30/minute")
@takes_uploads
def pack_photo(code: str) -> ResponseReturnValue:
    """All labels in a photo go into the container; each that does not is named."""
    container, _batch = packing.own_container(the_user(), code)
    form = PictureForm()
    data = form.picture.data.read() if form.validate_on_submit() and form.picture.data else b""
    try:
        texts = codes_in_picture(data)
    except UnreadablePicture:
        texts = []
    packed, refused = 0, []
    for text in texts:
        try:
            with transaction():
                container, _batch = packing.own_container(the_user(), code)
                if packing.label_from_scan(text).code == container.code:
                    continue
                packing.pack(the_user(), container, text)
            packed += 1
        except Problem as problem:
            refused.append(problem.message)
    if packed:
        flash(_("照片里认出并装入 %(count)d 件。", count=packed))
    elif not refused:
        flash(_("照片里没有认出标签，请靠近、在亮处再拍一张。"), "warning")
    for message in refused[:20]:
        flash(message, "warning")
    return redirect(url_for("labels.pack", code=code))


@views.post("/labels/pack/<code>/<int:packing_id>/remove")
@allow(RoleName.PRODUCER)
def unpack(code: str, packing_id: int) -> ResponseReturnValue:
    with transaction():
        container, _batch = packing.own_container(the_user(), code)
        packing.unpack(the_user(), container, packing_id)
    flash(_("已取出。"))
    return redirect(url_for("labels.pack", code=code))
