"""Compiles the CUDA kernels with NVRTC, checks their PTX, and prints what each kernel needs.

Usage: cuda_source.py LIBNVRTC
"""

import ctypes
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src/arithmetic/cuda"
ARCHITECTURES = [75, 80, 90, 120]
# The program's compiler options.
OPTIONS = re.findall(r'c"(--[^"]+)"', re.search(r"const OPTIONS.*?;\n", (FOLDER / "nvrtc.rs").read_text(), re.S).group())

# Instructions on floats that round, or that a compiler could fuse if they had no rounding mode.
ROUNDS = re.compile(r"^(add|sub|mul|fma|mad|div|sqrt|rcp)\.(.*\.)?f(32|64)(x2)?$")
# Conversions: exact ones have no rounding mode.
CONVERTS = re.compile(r"^cvt\..*f(32|64)")
EXACT = {"cvt.f64.f32"}
# To whole numbers: towards zero, to nearest, and down (floorf).
WHOLE = ("cvt.rzi", "cvt.rni", "cvt.rmi")
FORBIDDEN = re.compile(
    r"\.approx|\.ftz|\.sat|^(atom|red)\..*\.f|^(mma|wmma|wgmma|shfl|tanh|ex2|lg2|sin|cos|rsqrt)\b|^(min|max)\.(.*\.)?f(32|64)"
)


def source():
    """The text that the program compiles: the files in the order of source.rs."""
    names = re.findall(r'\("([^"]+)", include_str!', (FOLDER / "source.rs").read_text())
    return "".join(f'#line 1 "{name}"\n{(FOLDER / "kernels" / name).read_text()}\n' for name in names)


class Nvrtc:
    def __init__(self, path):
        path = pathlib.Path(path).resolve()
        for builtins in sorted(path.parent.glob("libnvrtc-builtins.so*")):
            ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(str(path))

    def compile(self, text, options, kind):
        """The PTX or CUBIN, and the log."""
        program = ctypes.c_void_p()
        code = self.library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
        if code != 0:
            sys.exit(f"error: nvrtcCreateProgram: error {code}")
        options = [option.encode() for option in options]
        code = self.library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        log = self.read(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if code != 0:
            sys.exit(f"error: NVRTC: error {code}\n{log}")
        result = self.read(program, kind)
        self.library.nvrtcDestroyProgram(ctypes.byref(program))
        return result, log

    def read(self, program, what):
        size = ctypes.c_size_t()
        getattr(self.library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        content = ctypes.create_string_buffer(size.value)
        getattr(self.library, f"nvrtcGet{what}")(program, content)
        return content.raw


def instructions(ptx):
    """The name of each instruction with its line number and text."""
    for number, line in enumerate(ptx.splitlines(), 1):
        text = re.sub(r"^\s*(@!?%\w+\s+)?", "", line).split("//")[0].strip()
        match = re.match(r"[a-z][a-z0-9_]*(\.[a-z0-9_:]+)*(?=[\s;])", text)
        if match and text.endswith(";"):
            yield match.group(0), number, text


def problems(ptx):
    for name, number, text in instructions(ptx):
        is_rounded = ".rn" in name
        if FORBIDDEN.search(name):
            yield f"line {number}: {text}: not allowed"
        elif ROUNDS.match(name) and not is_rounded:
            yield f"line {number}: {text}: no rounding mode"
        elif CONVERTS.match(name) and name not in EXACT and not is_rounded and not name.startswith(WHOLE):
            yield f"line {number}: {text}: no rounding mode"


def check_the_check():
    """Tests the check itself: it must find known mistakes."""
    wrong = [
        "add.f32 %f1, %f2, %f3;",
        "mul.ftz.f32 %f1, %f2, %f3;",
        "@%p1 fma.rn.ftz.f32 %f1, %f2, %f3, %f4;",
        "ex2.approx.ftz.f32 %f1, %f2;",
        "max.f32 %f1, %f2, %f3;",
        "atom.global.add.f32 %f1, [%rd1], %f2;",
        "cvt.f32.f64 %f1, %fd1;",
        "div.approx.f32 %f1, %f2, %f3;",
        "shfl.sync.bfly.b32 %r1, %r2, 1, 31, -1;",
    ]
    right = [
        "add.rn.f32 %f1, %f2, %f3;",
        "add.s32 %r1, %r2, 1;",
        "cvt.f64.f32 %fd1, %f1;",
        "cvt.rmi.f32.f32 %f1, %f2;",
        "fma.rn.f64 %f1, %f2, %f3, %f4;",
    ]
    assert all(list(problems(line)) for line in wrong), [line for line in wrong if not list(problems(line))]
    assert not any(list(problems(line)) for line in right)


def main():
    check_the_check()
    nvrtc, text, failed = Nvrtc(sys.argv[1]), source(), False
    for architecture in ARCHITECTURES:
        ptx, _ = nvrtc.compile(text, [f"--gpu-architecture=compute_{architecture}", *OPTIONS], "PTX")
        ptx = ptx.rstrip(b"\0").decode()
        found = list(problems(ptx))
        counted = sum(bool(ROUNDS.match(name)) for name, _, _ in instructions(ptx))
        kernels = ptx.count(".entry ")
        print(f"sm_{architecture}: {kernels} kernels, {counted} float operations, {len(found)} problems")
        print("".join(f"  {problem}\n" for problem in found), end="")
        failed |= bool(found) or counted == 0
        options = [f"--gpu-architecture=sm_{architecture}", *OPTIONS, "--ptxas-options=-v"]
        _, log = nvrtc.compile(text, options, "CUBIN")
        spills = [line.strip() for line in log.splitlines() if re.search(r"[1-9]\d* bytes (stack|spill)", line)]
        print("".join(f"  {line}\n" for line in spills), end="")
    for kernel, needs in re.findall(r"entry function '(\w+)'.*?(Used [^\n]*)", log, re.S):
        print(f"  {kernel}: {needs[5:]}")
    sys.exit(failed)


main()
