// C functions around the parts of libtorch, libc and CUDA that tch does not expose. Functions that can fail return
// null, or an error message that is valid until the thread's next call. No C++ exception leaves this file. The file
// compiles against a CPU-only libtorch and looks up CUDA's functions at run time.

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

// Runs `work`. Returns null, or the first line of the exception's message.
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

// at::cuda::CUDAGraph of libtorch 2.11. Its header needs CUDA's headers, so this struct finds the member functions by
// their mangled names, and reserves more memory than the fields need (about 150 bytes).
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

  // Looked up once. Call it only after libtorch_cuda is loaded.
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

// libtorch frees activations of tens of megabytes after every layer. By default, malloc returns such blocks to the
// system, and the next step must get new pages, which takes about a fifth of a step's time.
void mr_keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

// Loads libtorch_cuda, which registers CUDA with libtorch. Call it before the first query about CUDA, because libtorch
// caches the answer.
const char *mr_load_cuda() {
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) {
    return nullptr;
  }
  const char *why = dlerror();
  last_error = why == nullptr ? "libtorch_cuda.so cannot be loaded" : why;
  return last_error.c_str();
}

// Sets the number of threads of an operator and the flags for deterministic results. An operator that has no
// deterministic form then fails instead of printing a warning. Returns false if libtorch did not accept them.
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

long mr_cudnn_version() {
  try {
    return at::Context::hasCUDA() ? at::Context::versionCuDNN() : 0;
  } catch (...) {
    return 0;
  }
}

// The version of the CUDA runtime (13000 is 13.0); 0 without CUDA.
int mr_cuda_version() {
  auto get = symbol<int (*)(int *)>("cudaRuntimeGetVersion");
  int version = 0;
  return get != nullptr && get(&version) == 0 ? version : 0;
}

// Writes the GPU's name, or an empty string if CUDA does not give it. The name is the first field of cudaDeviceProp.
// That struct takes about 1 KB and grows with CUDA's versions, so the buffer is larger.
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

// Selects a GPU and the program's stream on it for this thread. All threads share that stream; it is not CUDA's default
// one.
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
    // A recording allocates its own memory and cannot free memory, so free unused memory first.
    at::accelerator::emptyCache();
    // Never freed if `begin` fails: libtorch may still use this graph to find out which memory it owns.
    auto *made = new Graph();
    // {0, 0} means a separate memory pool. In thread-local mode, calls of other threads do not affect the recording.
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
