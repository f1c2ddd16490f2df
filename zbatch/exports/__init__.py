"""What people take away from a run directory: provenance now, datasets later."""
