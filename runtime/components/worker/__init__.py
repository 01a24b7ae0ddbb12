"""The process in which components run: what it says to the core, how it is confined, and how it enters guests."""
