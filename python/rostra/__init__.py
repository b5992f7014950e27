"""Rostra: a live-audio Spaces server. Python decides; the media core carries."""

__version__ = "0.1.0"
