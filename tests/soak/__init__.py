"""The long tests: what tests/flows holds, over more records and many more times. `make soak` runs them."""
