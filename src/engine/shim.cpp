// What the program needs of libtorch, libc and CUDA that tch does not expose: each function wraps a call.
// Owns the program's stream on each GPU, and the graphs' memory. Compiles against a CPU-only libtorch; CUDA is looked up at
// run time. Only C types cross this border; a C++ exception never does.

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace {
template <typename F> F symbol(const char *name) { return reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name)); }
thread_local std::string last_error;

// Null, or the first line of what was thrown.
template <typename Work> const char *outcome(Work work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception &e) {
    last_error = e.what();
    last_error.erase(std::min(last_error.find('\n'), last_error.size()));
  } catch (...) {
    last_error = "libtorch failed";
  }
  return last_error.c_str();
}

// at::cuda::CUDAGraph of libtorch 2.11, whose header needs CUDA's own: its members by the names that the compiler gave
// them, and room for its fields (about 150 bytes).
struct Graph {
  using Member = void (*)(void *);
  using Pool = std::pair<unsigned long long, unsigned long long>;
  struct Members {
    void (*construct)(void *, bool) = symbol<void (*)(void *, bool)>("_ZN2at4cuda9CUDAGraphC1Eb");
    Member destruct = symbol<Member>("_ZN2at4cuda9CUDAGraphD1Ev");
    void (*begin)(void *, Pool, int) =
        symbol<void (*)(void *, Pool, int)>("_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
    Member end = symbol<Member>("_ZN2at4cuda9CUDAGraph11capture_endEv");
    Member replay = symbol<Member>("_ZN2at4cuda9CUDAGraph6replayEv");

    bool all() const { return construct && destruct && begin && end && replay; }
  };

  // Looked up once, when libtorch_cuda is loaded.
  static const Members &members() {
    static const Members members;
    return members;
  }

  Graph() { members().construct(fields, false); }
  ~Graph() { members().destruct(fields); }
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;

  alignas(16) unsigned char fields[4096] = {};
};
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

// Threads of one operator, and the flags that make CUDA repeat itself: an operator that has no deterministic form there
// fails, rather than warns. False where libtorch refused.
bool mr_configure(int threads, bool tf32) {
  try {
    at::set_num_threads(threads);
    auto &context = at::globalContext();
    context.setDeterministicCuDNN(true);
    context.setDeterministicMkldnn(true);
    context.setBenchmarkCuDNN(false);
    context.setDeterministicAlgorithms(true, false);
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

// Makes a GPU this thread's current one, and its stream one that is the same in every thread, but not CUDA's default.
const char *mr_use_own_stream(int device) {
  return outcome([&] {
    static std::mutex lock;
    static std::map<int, c10::Stream> streams;
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    const c10::Device gpu(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device));
    guard.setDevice(gpu);
    const std::lock_guard<std::mutex> locked(lock);
    auto stream = streams.find(device);
    if (stream == streams.end()) {
      stream = streams.emplace(device, guard.getStreamFromGlobalPool(gpu)).first;
    }
    guard.exchangeStream(stream->second);
  });
}

const char *mr_graph_begin(int device, void **graph) {
  return outcome([&] {
    TORCH_CHECK(Graph::members().all(), "this libtorch has no CUDA graphs");
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    guard.setDevice(c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device)));
    // A recording takes fresh memory, and must not have to free some: what earlier ones left goes back first.
    at::accelerator::emptyCache();
    // Never freed where it fails: libtorch may go on asking it whether memory is its own.
    auto *made = new Graph();
    // With a memory pool of its own; whatever another thread does meanwhile is its own affair.
    constexpr int cudaStreamCaptureModeThreadLocal = 1;
    Graph::members().begin(made->fields, {0, 0}, cudaStreamCaptureModeThreadLocal);
    *graph = made;
  });
}

const char *mr_graph_end(void *graph) {
  return outcome([&] { Graph::members().end(static_cast<Graph *>(graph)->fields); });
}

const char *mr_graph_replay(void *graph) {
  return outcome([&] { Graph::members().replay(static_cast<Graph *>(graph)->fields); });
}

void mr_graph_free(void *graph) { delete static_cast<Graph *>(graph); }
}
