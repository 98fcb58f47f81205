"""Beam wiring, what runs after the model, and the command line."""
