"""The same jobs on Google Cloud, and uploads that become models by themselves."""
