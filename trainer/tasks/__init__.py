"""The tasks: pose of one animal, pose of several, classes of crops."""
