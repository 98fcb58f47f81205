"""Crops out of videos, for people to sort and for training."""
