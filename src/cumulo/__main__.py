"""`python -m cumulo`."""

from cumulo.cli import main

main()
