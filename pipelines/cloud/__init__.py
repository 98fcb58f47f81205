"""Jobs on Google Cloud: the doors, and what they hand to the services."""
