"""Labeled frames and crops to stored features."""
