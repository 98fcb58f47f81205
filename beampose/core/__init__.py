"""The ground floor: files, settings, infos. Imports nothing else of ours."""

__version__ = "0.1.0"
