"""What moves: jobs become tasks, tasks become pictures, and every step is on disk first."""
