"""What `import beampose` offers; everything below it may change."""
