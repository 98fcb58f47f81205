"""Labeling in the browser: the project on disk, its frames, the model that learns, the page."""
