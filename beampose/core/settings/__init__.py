"""The settings of an experiment: declared once, checked when read."""
