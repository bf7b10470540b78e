"""Lets `python -m suanli` do what the command does."""

from suanli.cli import main

main()
