"""Widgets that draw prepared data: tables, sheets and one-row ribbons."""
