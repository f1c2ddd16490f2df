"""The manifest language: from YAML to a checked stream of jobs."""
