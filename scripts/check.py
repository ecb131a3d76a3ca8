#!/usr/bin/env python3
"""Checks a bundle of mnist-report, a folder or a zip, without mnist-report: python3 check.py [--data FOLDER] BUNDLE...
Needs Python 3.9 or newer and nothing else, writes nothing, and shares no code with mnist-report. FOLDER has the labels of the
test set (otherwise: MNIST_REPORT_DATA, or data/mnist beside this file's folder). Exit: 0 passed, 1 a difference, 2 not checked.
"""
if not __import__("sys").flags.isolated: del __import__("sys").path[0]  # the folder of this file: a hand-in there may be json.py
import argparse, bisect, collections, datetime, hashlib, itertools, json, math, os, pathlib, re, stat, struct, sys, zlib
RUNGS = {"files": "every file is as SHA256SUMS lists it, none is extra or a link, and a zip is unambiguous",
         "inputs": "the data are MNIST, and the study and its images are the bundle's, by their hashes",
         "metrics": "confusion matrices, accuracies and comparisons follow from predictions/ and the labels of the test set",
         "sizes": "the parameters of each layer, and their size, follow from the headers of weights/"}
SCHEMAS, MIB, GALLERY, SUMS, RUN_LOG, OPTIONAL = [3, 6], 1 << 20, 16, "SHA256SUMS", "run-log.json", ("weights/", "evidence/")
# Limits against hostile bundles, checked before any work; mnist-report has the same or lower ones. MAX_MIB: by start of the path.
MAX_FILES, MAX_NAME, MAX_DEPTH, MAX_COMPARISONS, MAX_PARTS, MAX_DIGITS, MAX_VALUES = 10_000, 255, 4, 64 + 99, 300_000, 40, 4 << 20
MAX_MIB = [("study.yaml", 4), (SUMS, 8), (RUN_LOG, 8), ("manifest.json", 16), ("ro-crate-metadata.json", 16), ("figures/", 16),
           ("results.json", 64), ("report.", 64), ("index.html", 64), ("images/", 1), ("predictions/", 2), ("", 256)]
MNIST = [("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
         ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
         ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
         ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2")]
LEFT = re.compile(r"""(.*/)?((__macosx | \.appledouble | \.documentrevisions-v100 | \.fseventsd | \.spotlight-v100 | \.trashes
    | \.temporaryitems | \$recycle\.bin | @eadir | system\ volume\ information | \.ipynb_checkpoints | (?-i:\.Trash-)[^/]*) (/.*)?
    | \.ds_store | \.directory | \.localized | \.apdisk | \.volumeicon\.icns | desktop\.ini | (eh)?thumbs\.db | ehthumbs_vista\.db
    | \._[^/]* | [^/]+:zone\.identifier)""", re.A | re.I | re.S | re.X)  # leftovers of systems: folders with all in them, and files
# Names that every system unpacks to the same place: Windows drops dots and spaces at their end, and treats \ as /.
SAFE = re.compile(r"((?!\.{1,2}(/|\Z))[^/\\:\x00-\x1f\x7f-\x9f\ufffd]*[^/\\:\x00-\x1f\x7f-\x9f\ufffd. ](/|\Z))+")
VALID = re.compile(r"(?!.{256})(?!(.*/)?\.{1,2}(/|\Z))[\w.-]+(/[\w.-]+)*", re.A)
EXTRA = {0x5455: 13, 0x7875: 24, 0x7855: 4, 0x5855: 16, 0x000A: 32, 0xCAFE: 0}  # times and owners: largest size
# A run log is parts of text, reduced to keys and kinds: s a string, b true or false, z 0, i another integer, f a float.
LOG_PART = re.compile(r'''"(?P<key>\w+)":[ ] | (?P<s>"(?:[^"\\]|\\.){0,4096}") | (?P<long>"(?:[^"\\]|\\.)*") | (?P<b>true|false)
    | (?P<z>0(?![\d.e])) | (?P<i>\d{1,20}(?![\d.e])) | (?P<f>-?\d[\d.e-]{1,30}) | \s+''', re.X)
LOG = re.compile(r"""{started s,finished s,seconds f,host s,cpu s,cpu_count [iz],(gpu s,)?(vectors s,)?(driver s,)?(nvrtc s,)?
    (peak_memory_mib [iz],)?study s,out s,runs \[({run s,seed [iz],seconds f,epoch_seconds \[(f,?)*],(resumed_after i,)?kept b},?)*]
    (,witness {libtorch s(,(networks|predictions|differing_predictions|most_in_one_network) [iz]){4},loss f(,layers i)?
    (,different_shape s)?})?}""", re.X)
# The records of a zip: an entry's own header, its header in the list, and the end record. x skips versions and times
LOCAL, CENTRAL, END = struct.Struct("<4s3H4x3L2H"), struct.Struct("<4sxB3H4x3L4H2x2L"), struct.Struct("<4s4H2LH")
text_of = json.JSONEncoder(sort_keys=True).encode  # unlike ==, distinguishes 1, 1.0 and True
# A float as it is typed, but nothing if that is not the program's way to write it, with as few digits as possible.
as_typed = lambda n: n * (n in [short := repr(float(n)).replace("e-0", "e-").replace("e+", "e"),
                                "0.0000" + short[:-3].replace(".", "") if short[-3:] == "e-5" else short])
class Refused(Exception): """Why a bundle cannot be opened, or a rung cannot be checked."""
def read_file(path, most):
    """The content of a regular file of at most so many MiB: a device, a pipe or a file that grows could be read forever."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > most * MIB: raise Refused(f"is not a plain file of at most {most} MiB")
    with open(path, "rb") as file: return file.read(status.st_size)
def folder_items(folder, above=""):
    """Everything below a folder: name, whether it is a plain file or folder, size and content. Follows no link."""
    for entry in os.scandir(folder):
        name, path, status = above + entry.name, entry.path, entry.stat(follow_symlinks=False)
        yield (name + "/", True, 0, bytes) if (is_dir := stat.S_ISDIR(status.st_mode)) else (name, stat.S_ISREG(status.st_mode),
               *((0, bytes) if LEFT.fullmatch(name) else (status.st_size, lambda path=path: read_file(path, 256))))
        if is_dir and name.count("/") <= 2 * MAX_DEPTH: yield from folder_items(path, name + "/")  # no file of a bundle is deeper
def parsed(content, whole=int, real=float):
    """JSON with a limited number of values. A repeated key, NaN, or a number of too many digits, which takes long, is an error."""
    if sum(map(content.count, b"[{,")) > MAX_VALUES: raise Refused(f"a JSON file has more than {MAX_VALUES} values")
    once = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else {}["a key twice"]
    short = lambda kind: lambda digits: kind(digits) if len(digits) <= MAX_DIGITS else {}["a number too long"]
    return json.loads(content.decode(), object_pairs_hook=once, parse_constant=int, parse_int=short(whole), parse_float=short(real))
def zip_items(path):
    """Like folder_items, for an unambiguous zip: entries, their list and the end record agree, and there is nothing else."""
    data = read_file(path, 1088)
    if b"PK\5\6" not in data[-22 - 65535:]: raise Refused("is not a zip file of a bundle, or was cut off: have it sent again")
    *_, count, _, list_start, _ = END.unpack(data[data.rindex(b"PK\5\6"):][:22])
    at, ends, found = list_start, {}, []
    for _ in range(count):
        magic, system, needs, flags, method, *sums, name_size, size, comment, disk, mode, start = CENTRAL.unpack_from(data, at)
        at += 46 + name_size + size
        name, extra, (_, packed, unpacked_size) = data[at - size - name_size:at - size], data[at - size:at], sums
        own_magic, own_needs, own_flags, own_method, *own_sums, name_size, size = LOCAL.unpack_from(data, start)
        content, is_dir = start + 30 + name_size + size, name.endswith((b"/", b"\\"))
        own_name, own_extra = data[content - size - name_size:content - size], data[content - size:content]
        # Bit 3: the sizes are after the content, and may be 0 before it. Bits 1 and 2 do not matter for unpacking.
        own_sums = [own or right for own, right in zip(own_sums, sums)] if flags & 8 else own_sums
        footer = b"PK\7\b" + struct.pack("<3L", *sums) if flags & 8 else b""
        ends[start] = content + packed + len(footer)
        if (magic, own_magic, comment, disk, own_name, own_flags | 6, own_method, own_sums, data[content + packed:ends[start]]) != (
                b"PK\1\2", b"PK\3\4", 0, 0, name, flags | 6, method, sums, footer):
            raise ValueError(f"{name!r} has another name, size or checksum in the list than at its content, or a comment")
        if (odd_extra(extra) or odd_extra(own_extra) or max(needs & 255, own_needs & 255) > 46 or 2 in (needs >> 8, own_needs >> 8)
                or flags & ~0x80E or method not in (0, 8) or method == 0 and packed != unpacked_size or len(name) > 4 * MAX_NAME):
            raise ValueError(f"{name!r} has a name or extra field, or is packed in a way, that no bundle needs")
        is_plain = mode >> 16 & 0xF000 in (0, 0x8000 >> is_dir) and not is_dir * unpacked_size + (mode & (0xE000458, 0x448)[is_dir])
        read = lambda start=content, end=content + packed, entry=(flags, method, *sums): unpacked(data[start:end], *entry)
        found.append((system, name.decode("utf-8", "replace"), is_plain, unpacked_size, read))
    if (data[at:] != END.pack(b"PK\5\6", 0, 0, count, count, at - list_start, list_start, len(note := data[at + 22:])) + note
            or b"PK\5\6" in data[max(at - 65535, 0):at] or not re.fullmatch(b"([0-9a-f]{40}|[0-9a-f]{64})?", note)  # git archive
            or data[at - 20:][:4] == b"PK\6\7" or [0, *sorted(ends.values())] != [*sorted(ends), list_start]):
        raise ValueError("bytes outside any entry or after its end, overlapping entries, or a second end record")
    is_dos = not any(system or "/" in name for system, name, *_ in found)  # Windows PowerShell's Compress-Archive writes \ for /
    yield from ((name.replace("\\", "/") if is_dos else name, *rest) for _, name, *rest in found)
def odd_extra(extra, *seen):
    """Whether an extra field has more than times and owners, and so may change what is unpacked."""
    kind, size = struct.unpack_from("<2H", extra + bytes(4))
    return extra and (size > min(EXTRA.get(kind, -1), len(extra) - 4) or kind in seen or odd_extra(extra[4 + size:], *seen, kind))
def unpacked(content, flags, method, crc, _, size):
    if size > MIB and size // 200 > len(content): raise ValueError("it is packed more than any file of a bundle")
    plain = (inflate := zlib.decompressobj(-15)).decompress(content, size + 1) if method == 8 else content
    # A program that reads a stream could mistake the mark of a footer in stored content for the end.
    is_whole = inflate.eof and not inflate.unused_data if method == 8 else not flags & 8 or b"PK\7\b" not in content
    if not is_whole or len(plain) != size or zlib.crc32(plain) != crc: raise ValueError("its content is not what the zip lists")
    return plain
def read_bundle(path):
    """Files by path, and problems. Reads no file of a zip that two programs could unpack differently."""
    try: items = [*itertools.islice((folder_items if (is_folder := os.path.isdir(path)) else zip_items)(path), MAX_FILES + 1)]
    except (ValueError, struct.error) as error: return {}, [f"the zip contradicts itself: {error}"]
    own = sorted(name for name, *_ in items if not LEFT.fullmatch(name))  # top: a folder that holds the whole bundle, made by hand
    top = min([n[:-10] for n in own if re.search(r"(^|/)SHA256SUMS\Z", n)], key=lambda top: top.count("/"), default="")
    if top.count("/") > MAX_DEPTH or not all(n.startswith(top) or n.endswith("/") and top.startswith(n) for n in own): top = ""
    most = lambda name: MIB * next(most for start, most in MAX_MIB if name[len(top):].startswith(start))
    if len(items) > MAX_FILES or sum(size for name, _, size, _ in items if size <= most(name)) > 1024 * MIB:
        raise Refused(f"is too large for a bundle (at most 1024 MiB and {MAX_FILES} files)")
    places = sorted((n.upper().lower().split("/"), n if LEFT.fullmatch(n) or n.endswith("/") else "") for n, *_ in items)
    files, problems = {}, ["two names mean one place, or differ by case"] * any(  # two leftovers, or two folders, may have one
        a == b[:len(a)] and (a != b or one == two) for (a, one), (b, two) in zip(places, places[1:]))
    for name, is_plain, size, read in items:
        inner, is_left, safe = name[len(top):], LEFT.fullmatch(name) or len(name) <= len(top), top.replace("\ufffd", "_")
        longest = max(len(part.encode(errors="replace")) for part in [inner, *name.split("/")])
        if not (is_plain and (SAFE.fullmatch(name.replace(top, safe, name.startswith(top))) or is_folder and is_left)
                and (is_left or VALID.fullmatch(inner.rstrip("/"))) and longest <= MAX_NAME):
            problems.append(f"{name!r} is not a valid file name in a bundle (no \\ in it), or a link or special file")
        elif size > most(name): problems.append(f"{name} is too large for a file of a bundle, and was not read")
        elif inner.count("/") > MAX_DEPTH and not is_left: problems.append(f"{name} is nested deeper than any folder of a bundle")
        elif inner.endswith("/") and not is_left and ((at := bisect.bisect(own, name)) == len(own) or not own[at].startswith(name)):
            problems.append(f"{inner} is an empty folder")
        else:  # the end of the content also matters for folders and leftovers, because other entries could be after it
            try: content = read()
            except (ValueError, zlib.error) as error: problems.append(f"{name}: damaged: {error}")
            else: files.update({} if is_left or inner.endswith("/") else {inner: content})
    if not {SUMS, "manifest.json", "results.json"} & files.keys(): raise Refused("is not a bundle: no SHA256SUMS, or \\ before it")
    return files, problems
def stated_data(study):
    """A study's files of data by name and hash: MNIST's without `data`, or if it is a text. None: only a reader of YAML knows."""
    text = re.sub(r"""^[ \t]*#.*|[ \t]#[^"'#\n]*$""", "", "\n".join(study.splitlines()), flags=re.M)  # without comments
    hidden = re.search(r"""\\(x|u00|U0{6})[0-7]|\?\s+"[^"]*\\$""", text, re.M)  # a key may be written with escapes
    found = re.findall(r"""^(["']?)data\1[ \t]*:(?:[ \t]+(\S)|[ \t]*\n+[ \t]+((["']?)\w+\4:\s))?""", text, re.M)
    is_odd = hidden or len(found) > 1 or re.search(r"^[!&*?<{\ufeff]|^---.|<<|\A\s*^[ \t]+\S", text, re.M)
    is_text = not is_odd and (not found or found[0][1] and found[0][1] not in "{*&!#|>")  # not odd: keys start lines
    if is_text or "sha256" not in text and not hidden: return MNIST
    if is_odd or text.count("sha256") > 1 or found[0][1] != "{" and not found[0][2]: return None
    pinned = re.search(r"""sha256["']?\s*:[\s{]*((["']?t\w+-\w+["']?\s*:\s*["']?[0-9a-f]{64}["']?[\s,}]*){4})""", text)
    hashes = dict(re.findall(r"(t\w+-\w+)\W+([0-9a-f]{64})", pinned[1] if pinned else ""))
    return [(n, hashes[n[:-11]]) for n, _ in MNIST] if hashes.keys() == {n[:-11] for n, _ in MNIST} else None
class Bundle:
    def __init__(self, path):
        self.files, self.problems = read_bundle(path)
        self.results, self.data, report = None, MNIST, self.files.get("report.html")
        if self.files.pop("index.html", report) != report: self.problems.append("index.html is not a copy of report.html")
        text = self.files.get(SUMS, b"").decode("utf-8", "replace")
        self.sums = {found[2]: found[1] for found in re.finditer(r"^([0-9a-f]{64})  (.+)\n", text, re.M)}
        written = "".join(f"{hash}  {path}\n" for path, hash in sorted(self.sums.items()))
        if not text or text != written or not all(map(VALID.fullmatch, self.sums)):
            self.problems.append(f"{SUMS} is missing or not in the form that mnist-report writes")
        is_absent = lambda folder: not any(path.startswith(folder) for path in self.files)
        self.left_out = {path for path in self.sums if path.startswith(tuple(filter(is_absent, OPTIONAL)))}
        self.hashes = {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}
    def check_files(self, _):
        covered = self.hashes.keys() - {SUMS, RUN_LOG}
        yield from [*self.problems, *(f"{path} is missing" for path in self.sums.keys() - covered - self.left_out)]
        yield from (f"{path} was changed or is not in {SUMS}" for path in covered if self.hashes[path] != self.sums.get(path))
        log = (content := self.files.get(RUN_LOG, b"")).decode()  # no hash covers it, so only the program's own form is accepted
        try: again = parsed(content, lambda n: n * (int(n) < 1 << 64), as_typed)  # first: LOG_PART is slow at open strings
        except (Refused, ValueError, LookupError, TypeError, RecursionError): again = None
        parts = content.decode("latin-1") * (again is not None and len(content) <= 4 * MIB)  # a character for each byte
        if RUN_LOG in self.files and not (LOG.fullmatch(LOG_PART.sub(lambda p: p["key"] or p.lastgroup or "", parts)) and
                log.replace('"', "") == json.dumps(again, indent=2, ensure_ascii=False).replace('"', "") + "\n"):
            yield f"{RUN_LOG} is not a run log; it is not part of the report, so remove it"
    def check_inputs(self, _):
        manifest, results = (parsed(self.files[name]) for name in ("manifest.json", "results.json"))
        if [manifest["schema"], results["schema"]] != SCHEMAS: raise Refused("another version of mnist-report wrote this bundle")
        self.results, environment, study = results, results["environment"], self.files["study.yaml"].decode()
        own = ["study.yaml", *sorted(path for path in self.files if path.startswith("images/"))]
        inputs = [(listed["name"], listed["sha256"]) for listed in manifest["inputs"]]
        self.data = (stated := stated_data(study)) or [(name, hash) for (name, _), (_, hash) in zip(MNIST, inputs[len(own):])]
        expected = [*((path, self.hashes[path]) for path in own), *self.data]
        digest = hashlib.sha256("".join(f"{hash}  {name}\n" for name, hash in inputs).encode()).hexdigest()
        datetime.date(*map(int, re.fullmatch(r"(\d{4})(?:-(\d\d)-(\d\d))?", manifest.get("date", "2000"), re.A).groups("01")))
        yield from (f"manifest.json: {what}" for is_right, what in [
            (inputs[:len(expected)] == expected, "study, images or data are others"),
            (len(inputs) == len(expected) + 2 + ("gpu" in environment), "the number of inputs"),
            (digest == manifest["digests"]["inputs"], "the digest of the inputs"),
            (text_of(environment) == text_of(manifest["environment"]), "the environment is not that of results.json"),
            (manifest["files"] == [*self.sums], "the list of files")] if not is_right)
        if not stated: raise Refused("the study may list other data, in a way that only mnist-report reads")
    def networks(self):
        """Every trained network: its run, the name of its files, its model, and its seed's result."""
        runs = [(name, run, run["seeds"]) for name, run in self.results["runs"].items()]
        runs += [(name, run, [end.get("finished") for end in run["seeds"]]) for name, run in self.results["diverged"].items()]
        found = [(name, len(seeds), run["plan"]["model"], seed) for name, run, seeds in runs for seed in seeds if seed]
        if len(found) > MAX_FILES // 4 or any(len(run) > MAX_NAME or type(seed["seed"]) is not int for run, *_, seed in found):
            raise ValueError("more trained networks, or longer names, than a bundle has files for")
        return [(run, run if count == 1 else f"{run}.seed{seed['seed']}", model, seed) for run, count, model, seed in found]
    def check_metrics(self, known):
        if (labels := known.get(self.data[3][1])) is None:
            raise Refused("needs the labels of the test set: --data FOLDER with t10k-labels-idx1-ubyte (see mnist-report checker)")
        classes, files, count, most, networks = {}, set(), len(labels), max(labels), self.networks()
        for _, name, _, seed in networks:
            path, weights = f"predictions/{name}.idx1-ubyte", f"weights/{name}.safetensors"
            files.update((path, weights, f"evidence/{name}.safetensors", f"losses/{name}.f32"))
            content = self.files.get(path, b"")
            if content[:8] != b"\0\0\x08\1" + count.to_bytes(4, "big") or len(content) != 8 + count or max(content[8:]) > most:
                yield f"{path} does not hold {count} classes from 0 to {most}"
                continue
            predicted = classes[name] = content[8:]
            confusion, shown, counts = seed["confusion"], seed["misread"], collections.Counter(zip(labels, predicted))
            correct = sum(confusion[digit][digit] for digit in range(most + 1))
            if text_of(confusion) != text_of([[counts[label, guess] for guess in range(most + 1)] for label in range(most + 1)]):
                yield f"{name}: the confusion matrix ({correct} correct) is not that of the predictions"
            reported = seed["epochs"][(seed.get("reported_epoch") or 0) - 1]["test"]
            if text_of(reported) != text_of({"images": count, "correct": correct, "loss": seed["test_loss"]}):
                yield f"{name}: its result is not that of the epoch that it reports"
            is_right = lambda m: m["image"] >= 0 and (labels[m["image"]], predicted[m["image"]]) == (m["label"], m["predicted"])
            order = [(-m["confidence"], m["image"]) for m in shown if is_right(m) and m["label"] != m["predicted"]]
            if order != sorted(order) or not len(order) == len(shown) == min(count - correct, GALLERY):
                yield f"{name}: the list of misclassified images is not that of the predictions"
            if (self.sums if weights in self.left_out else self.hashes).get(weights) != seed["weights_sha256"]:
                yield f"{weights} does not have the SHA-256 in results.json"
        if self.results["data"]["test_classes"] != [*map(labels.count, range(most + 1))]: yield "data.test_classes are others"
        yield from (f"{path} belongs to no run" for path in (self.files.keys() | self.sums.keys()) - files
                    if path.startswith(("predictions/", "losses/", *OPTIONAL)))
        if len(self.results["comparisons"]) > MAX_COMPARISONS: raise ValueError("more than 64 comparisons and those of a grid")
        if sum(len(each["pairs"]) for each in self.results["comparisons"].values()) > MAX_FILES: raise Refused("too many pairs")
        trained = lambda run: (network for network in networks if network[0] == run)
        for name, comparison in self.results["comparisons"].items():
            pairs = [compared(*two, classes, labels) for two in zip(trained(comparison["run"]), trained(comparison["against"]))]
            if text_of(comparison["pairs"]) != text_of(pairs): yield f"the comparison {name} is not what the predictions give"
        if not classes: raise Refused("no training finished")
    def check_sizes(self, _):
        if not self.networks() or any(path.startswith("weights/") for path in self.left_out): raise Refused("there are no weights")
        used = 0
        for _, name, model, _ in self.networks():
            content, stated = self.files[f"weights/{name}.safetensors"], self.results["models"][model]
            at = start = 8 + int.from_bytes(content[:8], "little")
            if (used := used + len(stated["layers"]) + content.count(b"{", 8, start)) > MAX_PARTS: raise Refused("too many tensors")
            header, written = parsed(content[8:min(start, 4 * MIB)]), {}
            found = {layer["name"]: [0, 0] for layer in stated["layers"]}  # parameters and buffers
            for tensor, info in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
                (layer, _, part), shape = tensor.rpartition("."), info["shape"]
                if len(shape) > 8 or any(type(size) is not int or not 0 <= size <= len(content) for size in shape):
                    raise ValueError(f"{name}: the shape of {tensor} is larger than the file")
                at += 4 * (values := math.prod(shape))
                found[layer][part.startswith("running_")] += values
                written[tensor] = {"dtype": "F32", "shape": shape, "data_offsets": [at - 4 * values - start, at - start]}
            parameters, buffers = (sum(column) for column in zip(*found.values()))
            found = [[*found.values()], parameters, buffers, parameters * 4 / MIB, parameters * 4 / 1e6]
            counts = [[layer["parameters"], layer["buffers"]] for layer in stated["layers"]]
            expected = [counts, stated["parameters"], stated["buffers"], *(by["params"] for by in stated["sizes"].values())]
            if header != written or at != len(content) or text_of(found) != text_of(expected):
                yield f"{name}: its weights have {found} values and MB, not {expected}, or are not plain float32"
def compared(one, other, classes, labels):
    """Compares two networks on the same test images: all at once, as numbers of a byte an image. ^ gives 0 where two are equal."""
    truth, first, second = map(lambda each: int.from_bytes(each, "big"), (labels, a := classes[one[1]], b := classes[other[1]]))
    zeros = lambda number: number.to_bytes(len(labels), "big").count(0)
    right, other_right, both = zeros(first ^ truth), zeros(second ^ truth), zeros((first ^ truth) | (second ^ truth))
    differing = itertools.islice(re.finditer(rb"[^\0]", (first ^ second).to_bytes(len(labels), "big")), GALLERY)
    shown = [{"image": i, "label": labels[i], "predicted": [a[i], b[i]]} for i in (found.start() for found in differing)]
    return {"seeds": [one[3]["seed"], other[3]["seed"]], "both": both, "only_run": right - both, "only_against": other_right - both,
            "neither": len(labels) - right - other_right + both, "disagreements": shown}
def test_labels(folder):
    """The labels of test sets, by the SHA-256 of their files."""
    found = [path for path in pathlib.Path(folder).rglob("t10k-labels*") if path.is_file() and path.stat().st_size <= 16 * MIB]
    unpack = lambda content: zlib.decompressobj(31).decompress(content, 16 * MIB) if content[:2] == b"\x1f\x8b" else content
    return {hashlib.sha256(content).hexdigest(): content[8:] for content in (unpack(read_file(path, 16)) for path in found)}
def check(bundle, rung, labels):
    """The exit code of a rung, and the lines to print. Each check of a bundle yields differences, or raises Refused."""
    wrong, refused = [], []
    try:
        for difference in itertools.islice(getattr(bundle, "check_" + rung)(labels), 20): wrong.append(difference[:1000])
    except MemoryError: raise
    except Refused as why: refused = [str(why)]
    except Exception as error: wrong.append(f"does not follow the schema: {error!r}"[:1000])  # the error depends on the values
    what = RUNGS[rung] if bundle.data == MNIST else RUNGS[rung].replace("are MNIST", "are not MNIST but what the study lists")
    return (1, wrong) if wrong else (2, refused) if refused else (0, [what])
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE")
    parser.add_argument("--data", metavar="FOLDER", default=os.getenv("MNIST_REPORT_DATA"))
    parser.add_argument("--upto", metavar="RUNG", choices=RUNGS, default="sizes", help=f"the last of {', '.join(RUNGS)}")
    is_path = lambda word: word[:1] == "-" and word not in ("--data", "--upto", "--") and os.path.lexists(word)
    options, codes = parser.parse_args(["./" * is_path(word) + word for word in sys.argv[1:]]), {0}
    clean = lambda text: "".join(c if c.isprintable() else "?" for c in text)  # names must not look like other lines
    for stream in filter(None, (sys.stdout, sys.stderr)): stream.reconfigure(errors="replace")  # None: closed
    for path in options.bundles:
        try:
            bundle, labels = None, test_labels(options.data or os.path.realpath(__file__ + "/../../data/mnist"))  # None: free first
            bundle = Bundle(path)
            for rung in [*RUNGS][:[*RUNGS].index(options.upto) + 1]:
                code, details = check(bundle, rung, labels)
                status, codes = ("passed", "FAILED", "not checked")[code], codes | {code}
                print("\n".join(f"{rung:9} {status:11}  {clean(detail)}" for detail in details))
                if rung == "files" and code or rung == "inputs" and not bundle.results: break
            print(f"Report ID {bundle.hashes.get(SUMS, 'unknown')}: {clean(path)}; {len(bundle.left_out)} files left out\nnot "
                  "checked here: whether the pages show these values (render); exact, weights, replay, rerun: mnist-report does")
        except Exception as error:  # whatever it is, the next bundle must be checked
            codes.add(2), print(clean(f"error: {path}: {str(error)[:1000] or 'not enough memory'}"), file=sys.stderr)
    sys.exit(sys.stdout.flush() or (1 if 1 in codes else max(codes)))
if __name__ == "__main__":
    try: main()
    except (AttributeError, OSError): os._exit(2)  # the output is closed or full, so nobody sees the result
