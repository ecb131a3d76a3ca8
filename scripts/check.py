#!/usr/bin/env python3
"""Checks a bundle of mnist-report, a folder or a zip, without mnist-report.

    python3 check.py [--data FOLDER] [--upto RUNG] BUNDLE...

Needs Python 3.9 or newer on any system and nothing else, writes nothing, and shares no code with mnist-report. The rungs:

    files     every file is as SHA256SUMS lists it; none is missing, extra or a link; a zip has one reading
    inputs    the data are MNIST and the study is the bundle's, by their hashes
    metrics   confusion matrices, accuracies and comparisons follow from predictions/ and the labels of the test set (MNIST's
              files are looked for in --data, MNIST_REPORT_DATA, and data/mnist here and beside this file's folder)
    sizes     the parameters of each layer, and their size, follow from the headers of weights/

Exit code: 0 if all passed, 1 if a difference was found, 2 if something could not be checked.
"""
import argparse, collections, datetime, gzip, hashlib, itertools, json, math, os, pathlib, re, stat, struct, sys, zlib

RUNGS, RESULTS_SCHEMA, MANIFEST_SCHEMA = ["files", "inputs", "metrics", "sizes"], 6, 3
MNIST = {"train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
         "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
         "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
         "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}
TEST_CLASSES = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # test images of each digit
SUMS, RUN_LOG, MARKS = "SHA256SUMS", "run-log.json", ("SHA256SUMS", "manifest.json", "results.json")
OPTIONAL, MIB, MAX_FILES, GALLERY = ("weights/", "evidence/"), 1 << 20, 10_000, 16  # a lean zip may lack the optional folders
LEFT = re.compile(r"""(.*/)?(( # what operating systems leave: folders with all that is in them, and files
    __macosx | \.appledouble | \.documentrevisions-v100 | \.fseventsd | \.spotlight-v100 | \.temporaryitems | \.trashes
    | \$recycle\.bin | @eadir | system\ volume\ information | (?-i:\.Trash-)[^/]*) (/.*)?
    | \.ds_store | \.directory | \.localized | \.apdisk | \.volumeicon\.icns | desktop\.ini | (eh)?thumbs\.db
    | ehthumbs_vista\.db | \._[^/]*)""", re.I | re.S | re.X)
# Names that every system unpacks to the same place: Windows drops dots and spaces at their end, and takes \ for /.
SAFE = re.compile(r"((?!\.{1,2}(/|\Z))[^/\\:\x00-\x1f\x7f-\x9f\ufffd]*[^/\\:\x00-\x1f\x7f-\x9f\ufffd. ](/|\Z))+")
VALID = re.compile(r"(?!(.*/)?\.{1,2}(/|\Z))[\w.-]+(/[\w.-]+)*", re.A)
EXTRA_FIELDS = {0x5455: 13, 0x7875: 24, 0x7855: 4, 0x5855: 16, 0x000A: 32, 0xCAFE: 0}  # times and owners: largest size
RUN_LOG_KEYS = set("""started finished seconds host cpu cpu_count gpu peak_memory_mib study out runs witness run seed
    epoch_seconds resumed_after kept libtorch networks predictions differing_predictions most_in_one_network loss""".split())
LOCAL, CENTRAL, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")


class Refused(Exception):
    """Why a bundle cannot be opened, or a rung not checked."""


def folder_items(folder):
    """The name, problem, size and content of everything below a folder. Follows no link."""
    for here, below, names in os.walk(folder):
        for path in (pathlib.Path(here, name) for name in below + names):
            name, meta = path.relative_to(folder).as_posix(), path.lstat()
            problem = None if stat.S_ISREG(meta.st_mode) else "a link or special file, not a plain file"
            yield (name + "/", None, 0, None) if stat.S_ISDIR(meta.st_mode) else (name, problem, meta.st_size, path.read_bytes)


def has_unknown_extra(extra, seen=()):
    """Whether an extra field is not about times and owners: it may change what is unpacked."""
    kind, size = struct.unpack_from("<2H", extra) if len(extra) >= 4 else (0, 0)
    return extra != b"" and (size > min(EXTRA_FIELDS.get(kind, -1), len(extra) - 4) or kind in seen
                             or has_unknown_extra(extra[4 + size:], (*seen, kind)))


def zip_items(data):
    """The name, problem, size and content of the entries of a zip that has one reading: it is its entries, their list and the
    record that ends it, which agree, and nothing else. Each part is built again from what the list states, and compared."""
    *_, count, _, list_start, _ = END.unpack(data[-22:])
    list_end, spans, items, at = len(data) - 22, [], [], list_start
    if data[-22:] != END.pack(b"PK\5\6", 0, 0, count, count, list_end - list_start, list_start, 0) or (
            b"PK\5\6" in data[-22 - 65535:-22] or data[list_end - 20:][:4] == b"PK\6\7"):
        raise ValueError("its end record, another one, or bytes behind it")
    while at < list_end and len(items) <= MAX_FILES:
        fields = CENTRAL.unpack_from(data, at)
        _, _, needs, flags, method, _, _, crc, packed, size, name_size, extra_size, _, _, _, attributes, start = fields
        name, extra = data[at + 46:at + 46 + name_size], data[at + 46 + name_size:at + 46 + name_size + extra_size]
        listed = CENTRAL.pack(b"PK\1\2", *fields[1:12], 0, 0, *fields[14:]) + name + extra
        _, own_needs, own_flags, _, time, date, *own_sums, _, own_extra_size = LOCAL.unpack_from(data, start)
        content, sums = start + 30 + name_size + own_extra_size, (crc, packed, size)
        own_extra = data[start + 30 + name_size:content]
        # Bit 3: the sizes are behind the content, and may be 0 before it. Bits 1 and 2 mean nothing to who unpacks.
        own_sums = [own and right for own, right in zip(own_sums, sums)] if flags & 8 else sums
        header = LOCAL.pack(b"PK\3\4", own_needs, flags ^ (flags ^ own_flags) & 6, method, time, date, *own_sums, name_size,
                            own_extra_size) + name + own_extra
        footer = b"PK\7\b" + struct.pack("<3L", *sums) if flags & 8 else b""
        end = content + packed + len(footer)
        if data[at:at + len(listed)] != listed or data[start:content] != header or data[content + packed:end] != footer:
            raise ValueError(f"{name!r} has another name, size or checksum in the list than at its content, or a comment")
        if (has_unknown_extra(extra) or has_unknown_extra(own_extra) or max(needs & 255, own_needs & 255) > 63
                or flags & ~0x80F or method not in (0, 8) or method == 0 and packed != size and not flags & 1):
            raise ValueError(f"{name!r} has an extra field, or is packed in a way, that no bundle needs")
        kind, is_folder = attributes >> 16 & 0o170000, name.endswith(b"/")
        is_plain = kind in (0, 0o040000) and not size if is_folder else kind in (0, 0o100000) and not attributes & 0x10
        problem = "is encrypted" if flags & 1 else None if is_plain else "a link or special file, not a plain file"
        if size > MIB and size // 200 > packed:
            raise Refused(f"{name!r} claims to unpack to more than 200 times its size: no file of a bundle does")
        read = lambda packed=data[content:content + packed], rest=(flags, method, crc, size): unpacked(packed, *rest)
        items.append((name.decode("utf-8", "replace"), problem, size, read))
        spans += [start, end]
        at += len(listed)
    if at != list_end or len(items) != count or [0, *sorted(spans[1::2])] != [*sorted(spans[::2]), list_start]:
        raise ValueError("bytes outside of any entry, two entries over each other, or more entries than stated")
    names = {name for name, *_ in items}
    if len(names) != count or names & {name[:slash.start()] for name in names for slash in re.finditer("/", name)}:
        raise ValueError("two entries for one place")
    return items


def unpacked(content, flags, method, crc, size):
    if method == 8:
        inflate = zlib.decompressobj(-15)
        content = inflate.decompress(content, size + 1)
        if not inflate.eof or inflate.unused_data:
            raise ValueError("its packed content does not end where it should")
    elif flags & 8 and b"PK\7\b" in content:  # a program that reads a stream could take it for the end
        raise ValueError("its content looks like the end of an entry")
    if len(content) != size or zlib.crc32(content) != crc:
        raise ValueError("its size or checksum is not the one that the zip lists")
    return content


def read_bundle(path):
    """Files by path, and problems. Reads nothing of a zip that two programs could unpack in two ways."""
    if os.path.isdir(path):
        items = [*folder_items(path)]
    else:
        data = pathlib.Path(path).read_bytes() if os.path.getsize(path) <= 1088 * MIB else b""
        if b"PK\5\6" not in data[-22 - 65535:]:
            raise Refused("is not a zip file of a bundle, or was cut off: have it sent again")
        try:
            items = zip_items(data)
        except (ValueError, struct.error) as error:
            return {}, [f"the zip contradicts itself: {error}"]
    own = [name for name, *_ in items if not LEFT.fullmatch(name)]
    # The folder (`quick (1)/`) that holds the whole bundle, if it was packed or unpacked by hand.
    top = min([n[:-10] for n in own if re.search(r"(^|/)SHA256SUMS\Z", n)], key=lambda top: top.count("/"), default="")
    if top.count("/") > 4 or not all(name.startswith(top) or name.endswith("/") and top.startswith(name) for name in own):
        top = ""
    files, problems, folders = {}, [], []
    if len(items) > MAX_FILES or sum(size for _, _, size, _ in items) > 1024 * MIB:
        raise Refused(f"is too large for a bundle (at most 1024 MiB and {MAX_FILES} files in all)")
    for name, problem, size, read in items:
        inner, is_safe = name[len(top):], SAFE.fullmatch(name)
        if is_safe and (LEFT.fullmatch(name) or not inner) and not problem:
            continue
        if problem or not is_safe or not VALID.fullmatch(inner[:255].rstrip("/")) or len(inner) > 255:
            problems.append(f"{name!r}: {problem or 'is not a valid file name in a bundle'}")
        elif inner.endswith("/"):
            folders.append(inner)
        else:
            try:
                files[inner] = read()
            except (ValueError, zlib.error) as error:
                problems.append(f"{inner}: damaged: {error}")
    problems += [f"{folder} is an empty folder" for folder in folders if not any(path.startswith(folder) for path in files)]
    lower = [path.lower() for path in files]
    if len({*lower}) != len(lower) or {*lower} & {path[:slash.start()] for path in lower for slash in re.finditer("/", path)}:
        problems.append("two names differ only by case")
    if not any(name in files for name in MARKS):
        raise Refused("is not a bundle: it has none of " + ", ".join(MARKS))
    return files, problems


def parse_json(content):
    """A JSON document; a key that is there twice, or NaN, is an error."""
    unique = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else int("a key twice")
    return json.loads(content.decode(), object_pairs_hook=unique, parse_constant=int)


def same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)  # unlike ==, tells 1 from 1.0 and True


def is_run_log(content):
    """Whether run-log.json, which no hash covers, has the form that is written (but for how floats are printed): it hides nothing."""
    text = re.sub(r'("(?:[^"\\]|\\.)*")|(?:0|[1-9]\d{0,16})(?:\.\d{1,20})?(?:e-?\d\d?)?', lambda m: m[1] or "5", content.decode())
    return (json.dumps(parse_json(text.encode()), indent=2, ensure_ascii=False) + "\n" == text and len(content) <= 4 * MIB
            and RUN_LOG_KEYS.issuperset(re.findall('"([^"]*)": ', text)))


class Bundle:
    def __init__(self, path):
        self.files, self.problems = read_bundle(path)
        if self.files.get("report.html") != self.files.pop("index.html", self.files.get("report.html")):
            self.problems.append("index.html is not a copy of report.html")
        text = self.files.get(SUMS, b"").decode("utf-8", "replace")
        self.sums = {found[2]: found[1] for found in re.finditer(r"^([0-9a-f]{64})  (.+)\n", text, re.M)}
        canonical = "".join(f"{hash}  {path}\n" for path, hash in sorted(self.sums.items()))
        if not text or text != canonical or not all(map(VALID.fullmatch, self.sums)):
            self.problems.append(f"{SUMS} is missing or not in the form that mnist-report writes")
        is_absent = lambda folder: not os.path.isdir(path) and not any(path.startswith(folder) for path in self.files)
        self.left_out = {path for path in self.sums if path.startswith(tuple(filter(is_absent, OPTIONAL)))}
        self.hashes = {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}

    def check_files(self, _):
        covered = {path: hash for path, hash in self.hashes.items() if path not in (SUMS, RUN_LOG)}
        wrong = self.problems + [f"{path} is missing" for path in self.sums.keys() - covered.keys() - self.left_out]
        wrong += [f"{path} was changed or is not in {SUMS}" for path in covered if covered[path] != self.sums.get(path)]
        if RUN_LOG in self.files and not is_run_log(self.files[RUN_LOG]):
            wrong.append(f"{RUN_LOG} is not a run log; it is not part of the report, so remove it")
        return wrong, f"{len(covered)} files are as {SUMS} lists them; {len(self.left_out)} were left out and are not checked"

    def check_inputs(self, _):
        manifest, self.results = (parse_json(self.files[name]) for name in ("manifest.json", "results.json"))
        if (manifest["schema"], self.results["schema"]) != (MANIFEST_SCHEMA, RESULTS_SCHEMA):
            raise Refused("another version of mnist-report wrote this bundle")
        environment, study = self.results["environment"], self.hashes["study.yaml"]
        inputs = [(listed["name"], listed["sha256"]) for listed in manifest["inputs"]]
        digest = hashlib.sha256("".join(f"{hash}  {name}\n" for name, hash in inputs).encode()).hexdigest()
        datetime.date(*map(int, re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", manifest.get("date", "2000-01-01"), re.A).groups()))
        return [f"manifest.json: {what}" for is_right, what in [
            (inputs[:5] == [("study.yaml", study), *MNIST.items()], "study or data are others"),
            (len(inputs) == 7 + ("gpu" in environment), "the number of inputs"),
            (digest == manifest["digests"]["inputs"], "the digest of the inputs"),
            (same(environment, manifest["environment"]), "the environment is not that of results.json"),
            (manifest["files"] == list(self.sums), "the list of files")] if not is_right], f"MNIST; study SHA-256 {study}"

    def networks(self, only=None):
        """Every trained network, or those of a run: the name of its files, its model, and its seed's result."""
        runs = [(name, run, run["seeds"]) for name, run in self.results["runs"].items()]
        runs += [(name, run, [end.get("finished") for end in run["seeds"]]) for name, run in self.results["diverged"].items()]
        return [(name if len(seeds) == 1 else f"{name}.seed{seed['seed']}", run["plan"]["model"], seed)
                for name, run, seeds in runs if only in (None, name) for seed in seeds if seed]

    def check_metrics(self, labels):
        if labels is None:
            raise Refused("needs the labels of the test set: name the folder of MNIST's files with --data")
        wrong, classes, files = [], {}, set()
        for name, _, seed in self.networks():
            path, weights = f"predictions/{name}.idx1-ubyte", f"weights/{name}.safetensors"
            files.update((path, weights, f"evidence/{name}.safetensors", f"losses/{name}.f32"))
            content = self.files.get(path, b"")
            if content[:8] != b"\0\0\x08\1\0\0\x27\x10" or len(content) != 10_008 or max(content[8:]) > 9:
                wrong.append(f"{path} does not hold 10000 classes from 0 to 9")
                continue
            classes[name] = content[8:]
            wrong += [f"{name}: {why}" for why in wrong_metrics(seed, content[8:], labels)]
            if (self.sums if weights in self.left_out else self.hashes).get(weights) != seed["weights_sha256"]:
                wrong.append(f"{weights} does not have the SHA-256 in results.json")
        for name, comparison in self.results["comparisons"].items() if not wrong else ():
            sides = zip(self.networks(comparison["run"]), self.networks(comparison["against"]))
            if not same(comparison["pairs"], [compared(a, b, classes, labels) for a, b in sides]):
                wrong.append(f"the comparison {name} is not what the predictions give")
        if self.results["data"]["test_classes"] != TEST_CLASSES:
            wrong.append("data.test_classes are not the test set's")
        wrong += [f"{path} belongs to no run" for path in self.files.keys() - files
                  if path.startswith(("predictions/", "losses/", *OPTIONAL))]
        if not wrong and not classes:
            raise Refused("no training finished")
        return wrong, f"predictions of {len(classes)} trained networks give the values of results.json"

    def check_sizes(self, _):
        wrong, networks = [], self.networks()
        if not networks or any(path.startswith("weights/") for path in self.left_out):
            raise Refused("there are no weights")
        for name, model, _ in networks:
            content, stated = self.files[f"weights/{name}.safetensors"], self.results["models"][model]
            at = start = 8 + int.from_bytes(content[:8], "little")
            found = {layer["name"]: [0, 0] for layer in stated["layers"]}  # parameters and buffers
            for tensor, info in sorted(parse_json(content[8:start]).items(), key=lambda item: item[1]["data_offsets"]):
                (layer, part), values = tensor.rsplit(".", 1), math.prod(info["shape"])
                found[layer][part.startswith("running_")] += values
                is_next, at = info["data_offsets"] == [at - start, at - start + 4 * values], at + 4 * values
                wrong += [] if is_next and info["dtype"] == "F32" else [f"{name}: {tensor} is not float32 of its shape"]
            counts = [[layer["parameters"], layer["buffers"]] for layer in stated["layers"]]
            parameters, buffers = (sum(column) for column in zip(*counts))
            if at != len(content) or not same([*found.values()], counts) or not same([parameters, buffers, parameters * 4 / MIB], [
                    stated["parameters"], stated["buffers"], stated["sizes"]["torchsummary"]["params"]]):
                wrong.append(f"{name}: its weights have {[*found.values()]} parameters and buffers, results.json has {counts}")
        return wrong, f"the weights of {len(networks)} trained networks have the parameters of results.json"


def wrong_metrics(seed, predicted, labels):
    """What does not follow from a network's predictions."""
    confusion, shown, counts = seed["confusion"], seed["misread"], collections.Counter(zip(labels, predicted))
    correct = sum(confusion[digit][digit] for digit in range(10))
    if not same(confusion, [[counts[label, guess] for guess in range(10)] for label in range(10)]):
        yield f"the confusion matrix ({correct} correct) is not that of the predictions"
    if not same(seed["epochs"][-1]["test"], {"images": 10_000, "correct": correct, "loss": seed["test_loss"]}):
        yield "its result is not that of its last epoch"
    is_right = lambda m: m["image"] >= 0 and (labels[m["image"]], predicted[m["image"]]) == (m["label"], m["predicted"])
    order = [(-m["confidence"], m["image"]) for m in shown if is_right(m) and m["label"] != m["predicted"]]
    if order != sorted(order) or not len(order) == len(shown) == min(10_000 - correct, GALLERY):
        yield "the list of misclassified images is not that of the predictions"


def compared(one, other, classes, labels):
    """How two networks do on the same test images."""
    images = [*zip(itertools.count(), labels, classes[one[0]], classes[other[0]])]
    counts = collections.Counter((label == a, label == b) for _, label, a, b in images)
    differing = [{"image": i, "label": label, "predicted": [a, b]} for i, label, a, b in images if a != b]
    return {"seeds": [one[2]["seed"], other[2]["seed"]], "both": counts[True, True], "only_run": counts[True, False],
            "only_against": counts[False, True], "neither": counts[False, False], "disagreements": differing[:GALLERY]}


def test_labels(folder):
    """The labels of MNIST's test set; None if there is no file of them."""
    name, folder = "t10k-labels-idx1-ubyte", folder or os.environ.get("MNIST_REPORT_DATA")
    places = [folder] if folder else ["data/mnist", pathlib.Path(__file__).resolve().parents[1] / "data/mnist"]
    paths = [pathlib.Path(*place) for place in itertools.product(places, ("", "raw", "MNIST/raw"), (name, name + ".gz"))]
    path = next(filter(pathlib.Path.is_file, paths), None)
    content = path and (gzip.decompress if path.suffix == ".gz" else bytes)(path.read_bytes())
    if path and hashlib.sha256(content).hexdigest() != MNIST[name]:
        raise Refused(f"{path} does not have MNIST's labels")
    return content and content[8:]


def check(path, upto, labels):
    """Checks a bundle and prints a line for each rung and detail. Returns the exit code."""
    bundle, codes = Bundle(path), {0}
    for rung in RUNGS[:RUNGS.index(upto) + 1]:
        is_readable = True
        try:
            wrong, passed = getattr(bundle, "check_" + rung)(labels)
            status, details = ("FAILED", wrong) if wrong else ("passed", [passed])
        except Refused as why:
            status, details, is_readable = "not checked", [str(why)], rung != "inputs"
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
            status, details, is_readable = "FAILED", [f"does not follow the schema: {error!r}"], rung != "inputs"
        codes.add({"passed": 0, "FAILED": 1, "not checked": 2}[status])
        for detail in details[:20]:  # the names in it are the bundle's: they must not look like other lines
            print(f"{rung:9} {status:11}  " + "".join(c if c.isprintable() else "?" for c in detail[:1000]))
        if not is_readable or rung == "files" and status == "FAILED":
            break
    print("Report ID", bundle.hashes.get(SUMS, "unknown"), "- mnist-report checks more: exact, render, weights, replay, rerun")
    return 1 if 1 in codes else max(codes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE")
    parser.add_argument("--data", metavar="FOLDER", help="the folder with MNIST's files")
    parser.add_argument("--upto", choices=RUNGS, default=RUNGS[-1], help="the last rung")
    options, codes = parser.parse_args(), {0}
    for path in options.bundles:
        try:
            codes.add(check(path, options.upto, test_labels(options.data)))
        except (OSError, Refused) as error:
            codes.add(2)
            print(f"error: {path}: {error}", file=sys.stderr)
    sys.exit(1 if 1 in codes else max(codes))


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    main()
