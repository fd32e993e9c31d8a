"""A producer's products and sites; an administrator's product kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import allow, must_keep_shared_tables, the_user
from trace_app.accounts.models import RoleName
from trace_app.body_limits import takes_uploads
from trace_app.catalogue import service
from trace_app.catalogue.columns import PRODUCTS, SITES
from trace_app.catalogue.forms import SITE_KINDS, KindFileForm, PhotosForm, ProductForm, SiteForm
from trace_app.catalogue.kinds import BadKindFile, read_kind
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.lists import typed_search
from trace_app.media.service import MAX_PHOTOS, stored_photos
from trace_app.messages import clashes
from trace_app.sent_once import makes_once
from trace_app.templating import register_words, status_of

views = Blueprint("catalogue", __name__)
register_words(views, site_kind=SITE_KINDS)


PRODUCT_PROBLEMS: dict[str, type[Problem] | tuple[type[Problem], ...]] = {
    "name": service.NameTaken,
    "gtin": (service.GtinTaken, service.GtinOfAnother),
}


_RETIRING = {"retire": service.retire, "back": service.bring_back}


@contextmanager
def _clash_told_of() -> Iterator[None]:
    """Have the authority know where a producer claims another's GTIN; the producer is told by the form."""
    try:
        yield
    except service.GtinTaken as clash:
        with transaction():
            clashes.tell_of_clash(the_user().organisation, clash)
        raise


@views.get("/products")
@allow(RoleName.PRODUCER)
def products() -> ResponseReturnValue:
    search = typed_search()
    listing = PRODUCTS.asked(service.own_products(the_user(), search), {"q": search})
    return listing.file() or render_template("catalogue/products.html", listing=listing)


@views.route("/products/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def new_product() -> ResponseReturnValue:
    form = ProductForm()
    if form.validate_on_submit():
        with form.refusals(**PRODUCT_PROBLEMS), _clash_told_of(), transaction():
            product = service.save_product(the_user(), None, **form.facts)
        if not form.errors:
            flash(_("产品已登记。可以添加照片。"))
            return redirect(url_for("catalogue.product", product_id=product.id))
    return render_template("catalogue/product.html", form=form, product=None), status_of(form)


@views.route("/products/<int:product_id>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def product(product_id: int) -> ResponseReturnValue:
    row = service.product_for(the_user(), product_id)
    form = ProductForm(obj=row)
    if form.validate_on_submit():
        with form.refusals(**PRODUCT_PROBLEMS), _clash_told_of(), transaction():
            service.save_product(the_user(), service.product_for(the_user(), product_id), **form.facts)
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("catalogue.products"))
    return _product_page(product_id, form, PhotosForm(formdata=None))


@views.post("/products/<int:product_id>/photos")
@allow(RoleName.PRODUCER)
@takes_uploads
def add_photos(product_id: int) -> ResponseReturnValue:
    form = PhotosForm()
    if form.validate():
        with form.refusals(), stored_photos(form.photos.cleaned) as photos, transaction():
            service.add_product_photos(the_user(), service.product_for(the_user(), product_id), photos)
    if not form.errors:
        return redirect(url_for("catalogue.product", product_id=product_id))
    row = service.product_for(the_user(), product_id)
    return _product_page(product_id, ProductForm(formdata=None, obj=row), form)


def _product_page(product_id: int, form: ProductForm, photos_form: PhotosForm) -> ResponseReturnValue:
    row = service.product_for(the_user(), product_id)
    page = render_template(
        "catalogue/product.html", form=form, product=row, photos_form=photos_form, most_photos=MAX_PHOTOS
    )
    return page, max(status_of(form), status_of(photos_form))


@views.post("/products/<int:product_id>/photos/<int:photo_id>/remove")
@allow(RoleName.PRODUCER)
def remove_photo(product_id: int, photo_id: int) -> ResponseReturnValue:
    with transaction():
        service.remove_product_photo(the_user(), service.product_for(the_user(), product_id), photo_id)
    return redirect(url_for("catalogue.product", product_id=product_id))


@views.post("/products/<int:product_id>/<any(retire, back):turn>")
@allow(RoleName.PRODUCER)
def retire_product(product_id: int, turn: str) -> ResponseReturnValue:
    with transaction():
        _RETIRING[turn](the_user(), service.product_for(the_user(), product_id))
    return redirect(url_for("catalogue.products"))


@views.get("/sites")
@allow(RoleName.PRODUCER)
def sites() -> ResponseReturnValue:
    search = typed_search()
    listing = SITES.asked(service.own_sites(the_user(), search), {"q": search})
    return listing.file() or render_template("catalogue/sites.html", listing=listing)


@views.route("/sites/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def new_site() -> ResponseReturnValue:
    form = SiteForm(user=the_user())
    if form.validate_on_submit():
        with form.refusals(name=service.NameTaken, gln=service.GlnTaken), transaction():
            service.save_site(the_user(), None, **form.facts)
        if not form.errors:
            flash(_("基地已登记。"))
            return redirect(url_for("catalogue.sites"))
    return render_template("catalogue/site.html", form=form, site=None), status_of(form)


@views.route("/sites/<int:site_id>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def site(site_id: int) -> ResponseReturnValue:
    row = service.site_for(the_user(), site_id)
    form = SiteForm(user=the_user(), obj=row)
    if form.validate_on_submit():
        with form.refusals(name=service.NameTaken, gln=service.GlnTaken), transaction():
            service.save_site(the_user(), service.site_for(the_user(), site_id), **form.facts)
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("catalogue.sites"))
    return render_template("catalogue/site.html", form=form, site=row), status_of(form)


@views.post("/sites/<int:site_id>/<any(retire, back):turn>")
@allow(RoleName.PRODUCER)
def retire_site(site_id: int, turn: str) -> ResponseReturnValue:
    with transaction():
        _RETIRING[turn](the_user(), service.site_for(the_user(), site_id))
    return redirect(url_for("catalogue.sites"))


@views.route("/admin/kinds", methods=["GET", "POST"])
@allow(RoleName.ADMINISTRATOR)
@takes_uploads
def kinds() -> ResponseReturnValue:
    must_keep_shared_tables(the_user())
    form = KindFileForm()
    if form.validate_on_submit():
        with form.refusals(file=(BadKindFile, service.StageInUse)):
            file = read_kind(form.file.data.read().decode("utf-8", "replace"))
            with transaction():
                service.load_kind(file)
        if not form.errors:
            flash(_("品类“%(name)s”已载入。", name=file.name))
            return redirect(url_for("catalogue.kinds"))
    return render_template("catalogue/kinds.html", form=form, kinds=service.kinds()), status_of(form)
