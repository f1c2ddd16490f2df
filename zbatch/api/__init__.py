"""The API as one contract: rules and records both sides share, and the client that speaks it."""
