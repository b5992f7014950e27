"""Rostra: a live-audio Spaces server. The map of this package is ARCHITECTURE.md."""
