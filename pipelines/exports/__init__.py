"""Models for other runtimes: written, run there once, and held against the SavedModel."""
