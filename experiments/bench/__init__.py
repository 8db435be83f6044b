"""How fast it runs here: ratios within one run, so that a noisy machine cannot lie. `make bench`."""
