"""From what people chose to the next manifest: which values stay, where it gets denser, its text."""
