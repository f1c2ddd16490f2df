"""What stays: the run directory, its state in SQLite, its artifacts, and `Run`, the reader everyone uses."""
