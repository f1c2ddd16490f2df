"""How people judged the images of a run: read from `picks.json`, merged, counted by axis value."""
