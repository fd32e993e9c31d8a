"""The web server: uvicorn, whose connections answer scans of kept pages by themselves, with Flask in threads."""
