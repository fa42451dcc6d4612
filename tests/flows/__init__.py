"""Whole paths, by HTTP alone, through real processes."""
