"""Measurements, as ratios against a peer or a floor in the same run: `make bench`. Figures go into docs/performance.md."""
