// What the program needs of libtorch, libc and CUDA that tch does not expose.
// Owns nothing: each function wraps a call. Compiles against a CPU-only libtorch; CUDA is looked up at run time.
// Only C types cross this border; a C++ exception never does.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include <cstring>
#include <string>

namespace {
template <typename F> F symbol(const char *name) { return reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name)); }
thread_local std::string last_error;
} // namespace

extern "C" {

const char *mr_torch_version() { return TORCH_VERSION; }

// libtorch frees activations of tens of megabytes after every layer; left alone, malloc gives such blocks back to
// the system each time and the next step pays for fresh pages (about a fifth of a step).
void mr_keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

// Loads libtorch_cuda, which registers CUDA with libtorch. To be called before the first question about CUDA:
// the answer to that is kept for ever. Null, or why not.
const char *mr_load_cuda() {
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) {
    return nullptr;
  }
  const char *why = dlerror();
  last_error = why == nullptr ? "libtorch_cuda.so cannot be loaded" : why;
  return last_error.c_str();
}

// Threads of one operator, and the flags that make CUDA repeat itself. False where libtorch refused.
bool mr_configure(int threads, bool tf32) {
  try {
    at::set_num_threads(threads);
    auto &context = at::globalContext();
    context.setDeterministicCuDNN(true);
    context.setDeterministicMkldnn(true);
    context.setBenchmarkCuDNN(false);
    context.setDeterministicAlgorithms(true, true);
    context.setDeterministicFillUninitializedMemory(false);
    context.setAllowTF32CuDNN(tf32);
    context.setAllowTF32CuBLAS(tf32);
    return at::get_num_threads() == threads;
  } catch (...) {
    return false;
  }
}

// The CPU instruction set that libtorch's own kernels use, such as "AVX2".
void mr_cpu_capability(char *text, size_t size) {
  std::strncpy(text, at::get_cpu_capability().c_str(), size - 1);
  text[size - 1] = 0;
}

long mr_cudnn_version() {
  try {
    return at::Context::hasCUDA() ? at::Context::versionCuDNN() : 0;
  } catch (...) {
    return 0;
  }
}

// CUDA's run-time version (13000 is 13.0), or 0.
int mr_cuda_version() {
  auto get = symbol<int (*)(int *)>("cudaRuntimeGetVersion");
  int version = 0;
  return get != nullptr && get(&version) == 0 ? version : 0;
}

// The GPU's name; empty if it cannot be had. The name is the first field of cudaDeviceProp, whose
// size (about 1 KB) grows from version to version: the buffer leaves room.
void mr_gpu_name(int device, char *text, size_t size) {
  auto get = symbol<int (*)(void *, int)>("cudaGetDeviceProperties_v2");
  if (get == nullptr) {
    get = symbol<int (*)(void *, int)>("cudaGetDeviceProperties");
  }
  alignas(16) char properties[16384] = {};
  text[0] = 0;
  if (get != nullptr && get(properties, device) == 0) {
    std::strncpy(text, properties, size < 256 ? size - 1 : 255);
    text[size - 1] = 0;
  }
}
}
