"""Benchmarks. `hatch run bench NAME` runs one."""
