// A fake CUDA runtime and cuBLAS for scripts/test-cuda-calls.sh, which tests the calls of training on a GPU without a GPU.
// It implements memory, copies, streams and stream capture. Like the real runtime, it rejects calls that are not allowed while
// a stream is captured; it reports them on standard error. Kernels and matrix products are counted but compute nothing, so all
// numbers are meaningless. The script generates all functions that are not here, from the symbols that libtorch_cuda needs;
// they return 0. Types and offsets are those of CUDA 13.0, for which libtorch 2.11 is built.
//
// CUDA_STUB=fails: matrix products fail while a stream is captured. CUDA_STUB=differs: no two tensors are equal.
// CUDA_STUB=small: the GPU has 16 MiB of memory.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace {
using Stream = void *;
using Id = unsigned long long;
enum Error { success = 0, out_of_memory = 2, illegal_state = 401, capture_unsupported = 900, capture_invalidated = 901 };
enum Mode { global = 0, thread_local_mode = 1, relaxed = 2 };
enum Copy { host_to_device = 1, device_to_host = 2, device_to_device = 3 };
struct Dim {
  unsigned x, y, z;
};
struct Graph {
  size_t kernels = 0, products = 0, copies = 0;
};
struct Capture {
  Stream stream = nullptr;
  int mode = global;
  std::thread::id thread;
  bool broken = false;
  Graph *graph = nullptr;
} capture;

std::recursive_mutex lock;
std::map<char *, size_t> blocks;
size_t allocated = 0, graphs = 0, replays = 0, refusals = 0, on_default = 0, elsewhere = 0;
Id captures = 0;
thread_local int mode = global;
Stream products_stream = nullptr;

bool is(const char *wanted) {
  const char *set = std::getenv("CUDA_STUB");
  return set != nullptr && std::strcmp(set, wanted) == 0;
}

bool recording(Stream stream) { return capture.stream != nullptr && stream == capture.stream; }

// Whether this thread must not wait for the GPU or allocate its memory now.
bool restricted() {
  return capture.stream != nullptr && mode != relaxed &&
         (capture.mode == global || std::this_thread::get_id() == capture.thread);
}

int refuse(const char *what) {
  refusals++;
  capture.broken = true;
  std::fprintf(stderr, "cuda stub: %s while a stream is recorded\n", what);
  return capture_unsupported;
}

// Counts work on a stream. If the stream is captured, `count` is the counter of the captured graph.
void launch(Stream stream, size_t Graph::*count) {
  if (stream == nullptr) {
    on_default++;
  }
  if (recording(stream)) {
    (capture.graph->*count)++;
  } else if (capture.stream != nullptr) {
    elsewhere++;
  }
}

bool on_device(const void *pointer) {
  auto block = blocks.upper_bound(static_cast<char *>(const_cast<void *>(pointer)));
  return block != blocks.begin() && pointer < (--block)->first + block->second;
}

template <typename T> void put(void *properties, size_t offset, T value) {
  std::memcpy(static_cast<char *>(properties) + offset, &value, sizeof value);
}

// Prints a summary when the program exits, by `exit` or `quick_exit`.
struct Summary {
  Summary() { std::at_quick_exit(print); }
  ~Summary() { print(); }
  static void print() {
    std::fprintf(stderr, "cuda stub: %zu graphs, %zu replays, %zu refusals, %zu calls on the default stream, %zu beside a recording\n",
                 graphs, replays, refusals, on_default, elsewhere);
  }
} summary;
} // namespace

#define LOCKED const std::lock_guard<std::recursive_mutex> locked(lock)

extern "C" {
// --- one device, with the properties of an H100 that libtorch reads ---

int cudaGetDeviceCount(int *count) { return *count = 1, success; }
int cudaGetDevice(int *device) { return *device = 0, success; }
int cudaDriverGetVersion(int *version) { return *version = 13000, success; }
int cudaRuntimeGetVersion(int *version) { return *version = 13000, success; }
int cudaGetDeviceProperties(void *to, int) {
  std::memset(to, 0, 1008);
  std::strcpy(static_cast<char *>(to), "fake GPU");
  put(to, 288, size_t{80} << 30); // totalGlobalMem
  put(to, 296, size_t{49152});    // sharedMemPerBlock
  put(to, 304, 65536);            // regsPerBlock
  put(to, 308, 32);               // warpSize
  put(to, 320, 1024);             // maxThreadsPerBlock
  put(to, 324, Dim{1024, 1024, 64});
  put(to, 336, Dim{2147483647, 65535, 65535});
  put(to, 360, 9);               // major
  put(to, 384, 132);             // multiProcessorCount
  put(to, 596, 50 << 20);        // l2CacheSize
  put(to, 604, 2048);            // maxThreadsPerMultiProcessor
  put(to, 624, size_t{233472});  // sharedMemPerMultiprocessor
  put(to, 632, 65536);           // regsPerMultiprocessor
  put(to, 672, size_t{232448});  // sharedMemPerBlockOptin
  return success;
}
int cudaDeviceGetAttribute(int *value, int attribute, int) {
  const std::map<int, int> values = {{10, 32}, {16, 132}, {39, 2048}, {75, 9}, {76, 0}, {97, 232448}};
  const auto found = values.find(attribute);
  return *value = found == values.end() ? 1 : found->second, success;
}
int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, success; }
int cudaMemGetInfo(size_t *free, size_t *total) { return *free = *total = size_t{80} << 30, success; }
int cudaFuncGetAttributes(void *to, const void *) {
  std::memset(to, 0, 144);
  put(to, 24, 1024); // maxThreadsPerBlock
  put(to, 28, 32);   // numRegs
  return success;
}
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *, int, size_t, unsigned) {
  return *blocks = 2, success;
}
const char *cudaGetErrorString(int) { return "rejected by the fake CUDA runtime"; }
const char *cudaGetErrorName(int) { return "rejected by the fake CUDA runtime"; }
int cudaGetDriverEntryPointByVersion(const char *, void **function, unsigned, Id, int *result) {
  static int (*none)() = [] { return 0; };
  *function = reinterpret_cast<void *>(none);
  return result != nullptr ? (*result = 0, success) : success;
}

// --- memory ---

int cudaMalloc(void **to, size_t size) {
  LOCKED;
  if (restricted()) {
    return refuse("cudaMalloc");
  }
  if (is("small") && allocated + size > (16 << 20)) {
    return out_of_memory;
  }
  allocated += size;
  *to = std::aligned_alloc(512, (size + 511) / 512 * 512);
  std::memset(*to, 0, size);
  blocks[static_cast<char *>(*to)] = size;
  return success;
}
int cudaFree(void *block) {
  LOCKED;
  if (block != nullptr && restricted()) {
    return refuse("cudaFree");
  }
  const auto found = blocks.find(static_cast<char *>(block));
  if (found != blocks.end()) {
    allocated -= found->second;
    blocks.erase(found);
  }
  std::free(block);
  return success;
}
int cudaHostAlloc(void **to, size_t size, unsigned) { return *to = std::malloc(size), success; }
int cudaFreeHost(void *block) { return std::free(block), success; }
int cudaPointerGetAttributes(void *to, const void *pointer) {
  LOCKED;
  std::memset(to, 0, 88);
  put(to, 0, on_device(pointer) ? 2 : 0);
  return success;
}
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, Stream stream) {
  LOCKED;
  const bool from_device = kind == device_to_host || kind == device_to_device;
  const bool to_device = kind == host_to_device || kind == device_to_device;
  if (on_device(from) != from_device || on_device(to) != to_device) {
    refusals++;
    std::fprintf(stderr, "cuda stub: a copy of kind %d with a pointer of the wrong kind\n", kind);
  }
  if (recording(stream) && kind != device_to_device) {
    return refuse("a copy from or to the host");
  }
  launch(stream, &Graph::copies);
  if (kind == device_to_host) {
    // No kernel has computed anything, so the memory may contain NaN: copy zeros instead. A copy of one byte is libtorch's
    // answer whether two tensors are equal.
    std::memset(to, size == 1 && !is("differs"), size);
  } else if (!recording(stream)) {
    std::memcpy(to, from, size);
  }
  return success;
}
int cudaMemsetAsync(void *to, int value, size_t size, Stream stream) {
  LOCKED;
  launch(stream, &Graph::copies);
  if (!recording(stream)) {
    std::memset(to, value, size);
  }
  return success;
}

// --- streams and events ---

int cudaStreamCreateWithPriority(Stream *stream, unsigned, int) { return *stream = std::malloc(1), success; }
int cudaEventCreateWithFlags(void **event, unsigned) { return *event = std::malloc(1), success; }
#define WAITS(name, ...)                                                                                               \
  int name(__VA_ARGS__) {                                                                                              \
    LOCKED;                                                                                                            \
    return restricted() ? refuse(#name) : success;                                                                     \
  }
WAITS(cudaDeviceSynchronize)
WAITS(cudaStreamSynchronize, Stream)
WAITS(cudaStreamQuery, Stream)
WAITS(cudaEventQuery, void *)
WAITS(cudaEventSynchronize, void *)
WAITS(cudaMemcpy, void *, const void *, size_t, int)

// --- stream capture and graphs ---

int cudaThreadExchangeStreamCaptureMode(int *other) { return std::swap(mode, *other), success; }
int cudaStreamBeginCapture(Stream stream, int capture_mode) {
  LOCKED;
  if (stream == nullptr || capture.stream != nullptr) {
    return illegal_state;
  }
  capture = {stream, capture_mode, std::this_thread::get_id(), false, new Graph};
  captures++;
  return success;
}
int cudaStreamEndCapture(Stream, Graph **graph) {
  LOCKED;
  if (capture.stream == nullptr) {
    return illegal_state;
  }
  *graph = capture.broken ? nullptr : capture.graph;
  const bool broken = capture.broken;
  capture.stream = nullptr;
  if (broken) {
    return capture_invalidated;
  }
  graphs++;
  const Graph &g = *capture.graph;
  std::fprintf(stderr, "cuda stub: a graph of %zu kernels, %zu products, %zu copies\n", g.kernels, g.products, g.copies);
  return success;
}
int cudaStreamGetCaptureInfo(Stream stream, int *status, Id *id, Graph **graph, void *, void *, size_t *count) {
  LOCKED;
  *status = !recording(stream) ? 0 : capture.broken ? 2 : 1;
  if (id != nullptr) {
    *id = captures;
  }
  if (graph != nullptr) {
    *graph = capture.graph;
  }
  if (count != nullptr) {
    *count = 0;
  }
  return success;
}
int cudaStreamIsCapturing(Stream stream, int *status) {
  LOCKED;
  return *status = recording(stream), success;
}
int cudaGraphGetNodes(Graph *graph, void *, size_t *count) {
  return *count = graph->kernels + graph->products + graph->copies, success;
}
int cudaGraphInstantiateWithFlags(void **exec, Graph *graph, Id) { return *exec = graph, success; }
int cudaGraphLaunch(void *, Stream stream) {
  LOCKED;
  launch(stream, &Graph::kernels);
  replays++;
  return success;
}

// --- kernels ---

static thread_local struct {
  Dim grid, block;
  size_t shared;
  Stream stream;
} call;
unsigned __cudaPushCallConfiguration(Dim grid, Dim block, size_t shared, Stream stream) {
  return call = {grid, block, shared, stream}, 0;
}
int __cudaPopCallConfiguration(Dim *grid, Dim *block, size_t *shared, Stream *stream) {
  return *grid = call.grid, *block = call.block, *shared = call.shared, *stream = call.stream, success;
}
int __cudaGetKernel(const void **kernel, const void *function) { return *kernel = function, success; }
int __cudaLaunchKernel(const void *, Dim, Dim, void **, size_t, Stream stream) {
  LOCKED;
  return launch(stream, &Graph::kernels), success;
}
int cudaLaunchKernelExC(const void *config, const void *, void **) {
  LOCKED;
  Stream stream;
  std::memcpy(&stream, static_cast<const char *>(config) + 32, sizeof stream);
  return launch(stream, &Graph::kernels), success;
}
void **__cudaRegisterFatBinary(void *) {
  static void *handle;
  return &handle;
}

// --- cuBLAS; the script generates its other products, which call `stub_product_on_stream` ---

int stub_product(Stream stream) {
  LOCKED;
  if (recording(stream) && is("fails")) {
    capture.broken = true;
    return 13; // CUBLAS_STATUS_EXECUTION_FAILED
  }
  return launch(stream, &Graph::products), success;
}
int stub_product_on_stream() { return stub_product(products_stream); }
int cublasCreate_v2(void **handle) {
  LOCKED;
  return *handle = std::malloc(1), restricted() ? refuse("cublasCreate") : success;
}
int cublasSetStream_v2(void *, Stream stream) { return products_stream = stream, success; }
int cublasGetMathMode(void *, int *math) { return *math = 0, success; }
int cublasGetPointerMode_v2(void *, int *pointers) { return *pointers = 0, success; }
int cublasLtMatmulAlgoGetHeuristic(void *, void *, void *, void *, void *, void *, void *, int, void *, int *found) {
  return *found = 1, success;
}
int cublasLtMatmul(void *, void *, const void *, const void *, void *, const void *, void *, const void *, const void *,
                   void *, void *, void *, const void *, void *, size_t, Stream stream) {
  return stub_product(stream);
}

// --- the driver functions with which libtorch asks whether the device is in use ---

int cuCtxGetCurrent(void **context) {
  static char one;
  return *context = &one, success;
}
int cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) { return *flags = 0, *active = 1, success; }
}

// Switch off cuDNN, because it needs more driver functions. libtorch's own operators replace it.
namespace at {
class Context {
public:
  bool userEnabledCuDNN() const;
};
bool Context::userEnabledCuDNN() const { return false; }
} // namespace at
