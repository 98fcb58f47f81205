"""Videos to predictions."""
