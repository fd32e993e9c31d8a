"""The whole chain of a lot for others to read: as an EPCIS 2.0 document, and as the spreadsheet of a 24-hour request."""
