"""Heads on stored features: the record, the backbone, targets and their inverse, the loop, the export."""

__version__ = "0.1.0"
