"""Trains the benchmark's networks in PyTorch in three ways, with the same timing as probes/bench_training.rs.

    python peers.py {loader,tensor,compile} RUN FOLDER [--no-dropout] [--device cpu] [--program FILE]

FOLDER has the output of `bench_training --export`: initial weights and the order of the images. Prints one line of JSON with
each epoch's mean training loss and seconds. bench.py runs this script. The networks of study.yaml are below; that of another study
is the class in FILE, which `mnist-report code` printed.
"""

import argparse
import gzip
import json
import struct
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

DATA = Path(__file__).resolve().parent.parent / "data" / "mnist"
BATCH = 128


class Baseline(nn.Module):
    """PyTorch's MNIST example, with batch normalisation."""

    def __init__(self, p1, p2):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 32, 3), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64)
        self.dropout1, self.dropout2 = nn.Dropout(p1), nn.Dropout(p2)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(self.dropout2(x))


class Slim(nn.Module):
    """The notes' slim network, with or without batch normalisation."""

    def __init__(self, p1, p2, norm):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 64, 3), nn.Conv2d(64, 128, 3)
        if norm:
            self.bn1, self.bn2 = nn.BatchNorm2d(64), nn.BatchNorm2d(128)
        self.norm = norm
        self.dropout1, self.dropout2 = nn.Dropout(p1), nn.Dropout(p2)
        self.fc1, self.fc2 = nn.Linear(2048, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(self.bn1(x) if self.norm else x)
        x = self.conv2(x)
        x = F.relu(self.bn2(x) if self.norm else x)
        x = self.dropout1(F.max_pool2d(x, 6))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(self.dropout2(x))


def network(run, dropout, program):
    if program:
        names = {}
        exec(program.read_text(), names)
        (of_study,) = [kind for kind in names.values() if isinstance(kind, type) and issubclass(kind, nn.Module)]
        return of_study()
    p1, p2 = (0.25, 0.5) if dropout else (0.0, 0.0)
    return Baseline(p1, p2) if run == "baseline" else Slim(p1, p2, run == "slim-bn")


def idx(name):
    """The values of an IDX file as a tensor."""
    with gzip.open(DATA / f"{name}.gz") as file:
        raw = file.read()
    dims = raw[3]
    shape = struct.unpack(f">{dims}I", raw[4 : 4 + 4 * dims])
    return torch.frombuffer(bytearray(raw[4 + 4 * dims :]), dtype=torch.uint8).reshape(shape)


def from_tensor(orders, device):
    """Batches sliced from one tensor on the device."""
    x = ((idx("train-images-idx3-ubyte").to(device).float() / 255 - 0.5) / 0.5).unsqueeze(1)
    y = idx("train-labels-idx1-ubyte").long().to(device)

    def epoch(order):
        order = torch.tensor(order, device=device)
        for batch in order.split(BATCH):
            yield x[batch], y[batch]

    return [lambda order=order: epoch(order) for order in orders]


def from_loader(orders, device):
    """Batches as in the notes: torchvision's MNIST with ToTensor and Normalize in a DataLoader."""
    from torchvision import datasets, transforms

    root = Path(tempfile.mkdtemp()) / "MNIST" / "raw"
    root.mkdir(parents=True)
    for file in DATA.glob("*.gz"):
        (root / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    data = datasets.MNIST(root.parent.parent, train=True, transform=steps)

    def epoch(order):
        for x, y in torch.utils.data.DataLoader(data, batch_size=BATCH, sampler=order):
            yield x.to(device), y.to(device)

    return [lambda order=order: epoch(order) for order in orders]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("peer", choices=["loader", "tensor", "compile"])
    arguments.add_argument("run")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--no-dropout", action="store_true")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--program", type=Path)
    given = arguments.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda":
        # Same precision as ours; cuDNN uses TF32 by default.
        torch.backends.cudnn.allow_tf32 = False
    orders = json.loads((given.folder / f"{given.run}.json").read_text())
    model = network(given.run, not given.no_dropout, given.program).to(device)
    model.load_state_dict(load_file(given.folder / f"{given.run}.safetensors"), strict=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    forward = torch.compile(model) if given.peer == "compile" else model
    epochs = (from_loader if given.peer == "loader" else from_tensor)(orders, device)
    losses, seconds = [], []
    for epoch in epochs:
        since = time.perf_counter()
        sums, images = [], 0
        for x, y in epoch():
            optimizer.zero_grad()
            loss = F.cross_entropy(forward(x), y)
            loss.backward()
            optimizer.step()
            sums.append(loss.detach() * len(y))
            images += len(y)
        losses.append(float(torch.stack(sums).sum()) / images)
        seconds.append(time.perf_counter() - since)
    print(json.dumps({"losses": losses, "seconds": seconds, "torch": torch.__version__,
                      "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
