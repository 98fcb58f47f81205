"""The same jobs on Google Cloud."""
