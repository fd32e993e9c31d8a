"""The way of a scan, from the request to the page and to the log. docs/architecture.md has it on one page.

`layer` stands in front of Flask; `reading` asks the database about labels, `lease` says for how long an answer counts,
`pages` keeps what was rendered, `brotli_splice` compresses it once for all labels, and `log` notes who scanned.
"""
