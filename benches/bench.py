"""Compares the training speed with PyTorch's, in pairs: `make bench`. Writes RESULTS.md beside this file.

A round runs our program and one peer directly after each other, for every peer. A peer's figure is the median over the rounds
of its time divided by ours. Before that, every peer's losses without dropout must agree with ours, so that the same work is
timed. The peers are in peers.py; our program is probes/bench_training.rs.

    bench.py [--study FILE] [--rounds 5] [--device cpu] [--runs baseline,slim,slim-bn] [--peers loader,tensor,compile] [--images N]
             [--out FILE]

A study other than study.yaml, such as layers.yaml, must have no dropout; the peers are the programs that `mnist-report code` prints.

An epoch that is timed has N images. The default is 1,280 on a CPU and all 60,000 on a GPU, where ten steps are too short to
time. Losses are always compared over 1,280 images, because rounding errors grow with the steps.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
STUDY = HERE / "study.yaml"
OURS = HERE.parent / "target" / "release" / "examples" / "bench_training"
PROGRAM = HERE.parent / "target" / "release" / "mnist-report"
PEERS = {
    "loader": "the notes' program: eager, MNIST through a DataLoader",
    "tensor": "eager, the data as one tensor",
    "compile": "torch.compile of that",
}
# Maximum relative difference of an epoch's mean loss.
LOSS_TOLERANCE = 1e-3


def command(words, device):
    """Runs a program. Returns the last line that it prints, parsed as JSON."""
    environment = dict(os.environ, DEVICE=device)
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(str(w) for w in words)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None


def seconds(result):
    """The median time of an epoch in seconds, without the first epoch, which warms up."""
    return statistics.median(result["seconds"][1:])


def sgemm_rate(device):
    """The speed of PyTorch's matrix product, in 10^9 floating-point operations per second."""
    code = (
        "import torch, time, json\n"
        f"a = torch.randn(2048, 2048, device='{device}')\n"
        "def run():\n"
        "    since = time.perf_counter()\n"
        "    for _ in range(8): b = a @ a\n"
        "    float(b[0, 0])\n"
        "    return 8 * 2 * 2048**3 / (time.perf_counter() - since) / 1e9\n"
        "run()\n"
        "print(json.dumps(max(run() for _ in range(3))))\n"
    )
    return command([sys.executable, "-c", code], device)


def printed(*words):
    """What our program prints."""
    return subprocess.run([str(w) for w in (PROGRAM, *words)], capture_output=True, text=True, check=True).stdout


def models(study):
    """The models of a study, which has a run of the same name for each."""
    return json.loads(printed("summary", study, "--json"))["models"]


def flops(model):
    """Floating-point operations of a training step, in 10^9."""
    return 6 * 128 * model["mult_adds"] / 1e9


def cpu():
    """The CPU's model name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def study_of(study, images, folder):
    """Writes the study with this number of images into a new folder. With few images, more epochs are timed."""
    text = study.read_text()
    assert "{first: 1280}" in text and "epochs: 4" in text, f"{study} has changed"
    if images > 1280:
        text = text.replace("epochs: 4", "epochs: 2")
    folder.mkdir()
    (folder / "study.yaml").write_text(text.replace("{first: 1280}", f"{{first: {images}}}"))
    return folder / "study.yaml"


def milliseconds(step):
    """Seconds as milliseconds; two decimals below 10 ms."""
    return f"{1000 * step:.{0 if step >= 0.01 else 2}f}"


def table(rows, peers, given, images, rate, environment, torch, threads):
    """The results so far as Markdown."""
    lines = [
        "# Training speed against PyTorch",
        "",
        "`make bench` writes this file. It has our training speed in images per second at batch size 128, and each peer's time",
        "divided by ours (above 1: we are faster): the median of the pairs, with the smallest and the largest in brackets.",
        "",
        f"- {time.strftime('%Y-%m-%d', time.gmtime())}, {cpu()}, {os.cpu_count()} cores; device `{given.device}`; {images:,} images per epoch, {given.rounds} rounds",
        f"- ours: {environment}",
        f"- peers: PyTorch {torch}, {threads} threads, with the kernels that PyTorch chooses",
        f"- PyTorch's matrix product: {rate:.0f} · 10⁹ operations per second",
        "",
        "| network | our images/s | " + " | ".join(PEERS[peer] for peer in peers) + " | our step, ms | same operations at the speed of the matrix product, ms | losses differ by |",
        "|:---|---:|" + "---:|" * len(peers) + "---:|---:|---:|",
    ]
    for run, speed, ratios, step, ideal, worst in rows:
        cells = [f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios.values()]
        lines.append(f"| {run} | {speed:.0f} | " + " | ".join(cells) + f" | {milliseconds(step)} | {milliseconds(ideal)} | {worst:.0e} |")
    return "\n".join(lines) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--study", type=Path, default=STUDY, help="by default study.yaml")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--runs", help="by default all models of the study")
    arguments.add_argument("--peers", default=",".join(PEERS))
    arguments.add_argument("--images", type=int)
    arguments.add_argument("--out", type=Path, help="the file to write instead of RESULTS.md, RESULTS-GPU.md or, of another study, RESULTS-LAYERS.md")
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp())
    known = models(given.study)
    device, runs, peers = given.device, given.runs.split(",") if given.runs else list(known), given.peers.split(",")
    images = given.images or (1280 if device == "cpu" else 60000)
    compared, timed = (study_of(given.study, n, folder / name) for n, name in ((1280, "compared"), (images, "timed")))
    rows = []
    rate = sgemm_rate(device)
    for run in runs:
        for study in (compared, timed):
            command([OURS, study, run, "--export", study.parent], device)

        def ours(study, *options):
            return command([OURS, study, run, *options], device)

        def theirs(study, peer, *options):
            words = [sys.executable, HERE / "peers.py", peer, run, study.parent, "--device", device, *options]
            return command([*words, *program], device)

        program = []
        if given.study.resolve() != STUDY:
            program = ["--program", folder / f"{run}.py"]
            program[1].write_text(printed("code", given.study, "--model", run))

        reference = ours(compared, "--no-dropout")["losses"]
        worst = 0.0
        for peer in peers:
            losses = theirs(compared, peer, "--no-dropout")["losses"]
            worst = max(worst, *(abs(a - b) / b for a, b in zip(losses, reference)))
        if worst > LOSS_TOLERANCE:
            sys.exit(f"error: {run}: a peer's losses are {worst:.1e} off ours: not the same work")
        ratios, own = {peer: [] for peer in peers}, []
        for number in range(given.rounds):
            for peer in peers:
                mine = ours(timed)
                other = theirs(timed, peer)
                own.append(seconds(mine))
                ratios[peer].append(seconds(other) / seconds(mine))
                print(f"{run} {number + 1}: {peer} {seconds(other):.3f} s, ours {seconds(mine):.3f} s", flush=True)
        step = statistics.median(own) / math.ceil(images / 128)
        rows.append((run, images / statistics.median(own), ratios, step, flops(known[run]) / rate, worst))
        details = (mine["environment"], other["torch"], other["threads"])
        # Write after each network, so that an interrupted benchmark keeps its results.
        text = table(rows, peers, given, images, rate, *details)
        name = "RESULTS" + "-LAYERS" * bool(program) + "-GPU" * (device != "cpu")
        out = given.out or HERE / f"{name}.md"
        out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
