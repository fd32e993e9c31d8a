"""PDF files that come in: whether they can be opened."""

from __future__ import annotations

from media_store.confined import confined


class UnreadablePdf(ValueError):
    """The bytes are no PDF that can be opened without a password, or one without pages."""


def count_pages(data: bytes) -> int:
    """How many pages a PDF has.

    :raises UnreadablePdf:
    """
    import pypdfium2

    if not data.startswith(b"%PDF-"):
        raise UnreadablePdf("the file does not begin as a PDF does")
    try:
        with pypdfium2.PdfDocument(data) as document:
            pages = len(document)
    except pypdfium2.PdfiumError as error:
        raise UnreadablePdf(str(error)) from None
    if not pages:
        raise UnreadablePdf("the file has no page")
    return pages


pages_of = confined(count_pages)
"""`count_pages` in a process of its own."""
