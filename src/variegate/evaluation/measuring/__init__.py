"""Measuring: samples are drawn, and metrics run one by one."""
