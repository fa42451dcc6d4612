"""The tests; folders as in the program."""
