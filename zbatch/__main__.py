"""`python -m zbatch`."""

from zbatch.cli import main

main()
