"""The whole chain of a lot for others to read: an EPCIS 2.0 document, and the spreadsheet of a 24-hour request."""
