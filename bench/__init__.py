"""Measurements; `hatch run bench NAME` runs one."""
