"""Excel both ways: templates, imports with a dry run, a lot's whole file as a workbook or a printable dossier."""
