"""Measures how the time of a build grows with images, epochs, parameters and seeds: `python3 benches/growth.py`.

Each line of the table builds the same small study with one size doubled and quadrupled. The seconds come from run-log.json and
include the evaluation of the 10,000 test images after each epoch. Also prints the peak memory of all builds.
"""

import json
import os
import resource
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "release" / "mnist-report"


def study(images=6400, epochs=1, width=16, seeds=1):
    """A study of the slim network with `width` and `2 * width` channels."""
    return f"""
title: Growth
models:
  m:
    layers:
      - conv2d: {{out_channels: {width}, kernel_size: 3}}
      - batch_norm2d
      - relu
      - conv2d: {{out_channels: {2 * width}, kernel_size: 3}}
      - batch_norm2d
      - relu
      - max_pool2d: {{kernel_size: 6}}
      - flatten
      - linear: {{out_features: 128}}
      - relu
      - linear: {{out_features: 10}}
runs:
  r:
    model: m
    train: {{images: {{first: {images}}}, order: shuffled}}
    epochs: {epochs}
    batch_size: 128
    optimizer: {{sgd: {{lr: 0.01, momentum: 0.5}}}}
    seeds: {list(range(1, seeds + 1))}
"""


def seconds(**sizes):
    """The seconds of training and evaluation of a build, and the number of its model's parameters."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "growth.yaml"
        file.write_text(study(**sizes))
        # Without libtorch as a witness, which needs memory.
        environment = dict(os.environ, MNIST_REPORT_WITNESS="no")
        command = [PROGRAM, "build", "--quiet", "--device", "cpu", file]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        log = json.loads((Path(folder) / "growth" / "run-log.json").read_text())
        results = json.loads((Path(folder) / "growth" / "results.json").read_text())
        return sum(run["seconds"] for run in log["runs"]), results["models"]["m"]["parameters"]


def main():
    seconds()  # warms up
    print("| size | values | seconds of training and evaluation |\n|:---|:---|---:|")
    for name, values in [("images", [6400, 12800, 25600]), ("epochs", [1, 2, 4]), ("seeds", [1, 2, 4])]:
        measured = [seconds(**{name: value})[0] for value in values]
        print(f"| {name} | {', '.join(str(v) for v in values)} | {', '.join(f'{m:.1f}' for m in measured)} |", flush=True)
    measured = [seconds(width=width) for width in [16, 32, 64]]
    print(f"| parameters | {', '.join(str(p) for _, p in measured)} | {', '.join(f'{m:.1f}' for m, _ in measured)} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nPeak memory of a build: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
