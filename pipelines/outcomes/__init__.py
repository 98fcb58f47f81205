"""Results of the steps of an experiment, which say themselves; a verb prints them."""
