"""Runs the PyTorch programs of bundles. Each loads the weights of the runs of its network, and must give their predictions.

    python pytorch_models.py DATA BUNDLE...

DATA is the folder of MNIST's files. Prints a line for each trained network; exits with 1 if one gives other predictions. PyTorch rounds
differently, so up to 5 of 10,000 predictions may differ.
"""

import gzip
import importlib.util
import json
import re
import struct
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

MOST = 5


def idx(path):
    """The values of an IDX file of bytes."""
    data = path.read_bytes()
    (dimensions,) = struct.unpack(">xxxB", data[:4])
    return torch.frombuffer(bytearray(data[4 + 4 * dimensions :]), dtype=torch.uint8)


def test_images(data):
    with gzip.open(data / "t10k-images-idx3-ubyte.gz") as file:
        pixels = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8)
    return pixels.view(-1, 1, 28, 28).float() / 255


def network(bundle, code):
    """An instance of the class that a program defines."""
    spec = importlib.util.spec_from_file_location("model", bundle / code)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (constructor,) = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, nn.Module)]
    return constructor()


def main():
    data, failed = Path(sys.argv[1]), False
    images = test_images(data)
    for bundle in map(Path, sys.argv[2:]):
        results = json.loads((bundle / "results.json").read_text())
        study = (bundle / "study.yaml").read_text()
        mean, std = [float(m[1]) if (m := re.search(rf"\b{key}:\s*([\d.]+)", study)) else 0.5 for key in ("mean", "std")]
        for name, run in results["runs"].items():
            model = run["plan"]["model"]
            file = model.replace("-", "_").lower()
            code = f"pytorch/{file}.py" if (bundle / f"pytorch/{file}.py").exists() else f"pytorch/{model}.py"
            for weights in sorted(bundle.glob(f"weights/{name}.safetensors")) + sorted(bundle.glob(f"weights/{name}.seed*.safetensors")):
                net = network(bundle, code)
                net.load_state_dict(load_file(weights))
                net.eval()
                with torch.no_grad():
                    found = torch.cat([net((batch - mean) / std).argmax(1) for batch in images.split(500)])
                expected = idx(bundle / "predictions" / f"{weights.name.removesuffix('.safetensors')}.idx1-ubyte")
                other = int((found != expected.long()).sum())
                failed |= other > MOST
                print(f"{bundle.name}, {weights.stem}: {code} gives {other} other predictions of {len(expected)}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
