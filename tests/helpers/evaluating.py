"""Evaluates a run in every process that torchrun started."""

from __future__ import annotations

import sys

import variegate
from variegate.core.launch import first

if __name__ == "__main__":
    found = variegate.evaluate(sys.argv[1], protocol="quick", extractor="squeezenet")
    if first():
        print("written by the first:", len(found["metrics"]))
