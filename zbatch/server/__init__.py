"""The server: the same API on one's own machine, over HTTP or in process."""
