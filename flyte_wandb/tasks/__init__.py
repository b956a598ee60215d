"""Decorated tasks: the decorator, and what happens around a call."""
