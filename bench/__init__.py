"""Reproducible benchmarks, ours beside stock Radicale in the same run: ``python -m bench``."""
