"""What spark-submit starts: submit.py JOB [--FLAG VALUE]...

A program of its own, so that the job is an imported module on the driver: executors find functions of modules by name,
and have none of the functions of a program.
"""

import importlib
import sys

from headroom.core import job

if __name__ == "__main__":
    module = importlib.import_module(f"headroom.{sys.argv.pop(1)}")
    job.as_program(module.main)
