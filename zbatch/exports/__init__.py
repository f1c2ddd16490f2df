"""What people take away from a run directory: provenance and datasets."""
