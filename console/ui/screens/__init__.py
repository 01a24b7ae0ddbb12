"""Dialogs and full-screen texts; each module is imported when it is first opened."""
