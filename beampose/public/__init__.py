"""Public face of `import beampose`; everything below it may change."""
