"""Heads on stored features: record, backbone, targets and their inverse, loop, export."""

__version__ = "0.1.0"
