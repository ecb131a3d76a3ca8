// Runs the kernels that were included before this file. `KERNELS` lists them as `KERNEL(name)`.

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define UNCHECKED __attribute__((no_sanitize("address")))
#else
#define UNCHECKED
#endif

// Everything else is hidden: a kernel may have the name of a function of the C library.
#define EXPORTED extern "C" __attribute__((visibility("default")))

// The linker defines where the section of the shared variables begins and ends.
extern unsigned char __start_cuda_shared[] __attribute__((weak));
extern unsigned char __stop_cuda_shared[] __attribute__((weak));

namespace {

constexpr unsigned MOST_THREADS = 1024;
constexpr size_t STACK = 256 << 10;
constexpr size_t DYNAMIC_SHARED_BYTES = 48 << 10;
// As a float, NaN; as an index, far outside of every array.
constexpr unsigned char UNWRITTEN = 0xff;

struct Kernel {
    std::string name;
    // One letter for each parameter: see `letter`.
    std::string parameters;
    std::function<void(const unsigned long long*)> call;
};

template <typename T> struct Letter;
template <typename T> struct Letter<T*> { static constexpr char letter = 'a'; };
template <> struct Letter<unsigned int> { static constexpr char letter = 'u'; };
template <> struct Letter<unsigned long long> { static constexpr char letter = 'l'; };
template <> struct Letter<float> { static constexpr char letter = 'f'; };
template <> struct Letter<double> { static constexpr char letter = 'd'; };

template <typename T>
T argument(unsigned long long bits) {
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename... P, size_t... I>
Kernel kernel(const char* name, void (*function)(P...), std::index_sequence<I...>) {
    auto call = [function](const unsigned long long* arguments) { function(argument<P>(arguments[I])...); };
    return {name, {Letter<P>::letter...}, call};
}

template <typename... P>
Kernel kernel(const char* name, void (*function)(P...)) {
    return kernel(name, function, std::index_sequence_for<P...>{});
}

#define KERNEL(name) kernel(#name, name),
const std::vector<Kernel> kernels = {KERNELS};
#undef KERNEL

// A stack on which threads run: one after the other, until one waits at a barrier. That one keeps it.
struct Fibre {
    ucontext_t context;
    char* stack = nullptr;
    void* fake_stack = nullptr;
    unsigned thread = 0;
    bool waits = false;
};

ucontext_t scheduler;
void* scheduler_fake_stack;
const void* scheduler_stack;
size_t scheduler_stack_size;
std::vector<Fibre> fibres;
Fibre* current;
alignas(16) unsigned char shared[DYNAMIC_SHARED_BYTES];

// Of the block that runs.
const Kernel* running;
const unsigned long long* arguments;
std::vector<unsigned> order;
size_t started;

void to_scheduler(Fibre& fibre) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fibre.fake_stack, scheduler_stack, scheduler_stack_size);
#endif
    swapcontext(&fibre.context, &scheduler);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fibre.fake_stack, &scheduler_stack, &scheduler_stack_size);
#endif
}

void resume(Fibre& fibre) {
    current = &fibre;
    threadIdx = {fibre.thread, 0, 0};
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&scheduler_fake_stack, fibre.stack, STACK);
#endif
    swapcontext(&scheduler, &fibre.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
#endif
}

void run_threads() {
    Fibre& fibre = *current;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_size);
#endif
    for (;;) {
        while (started < order.size()) {
            fibre.thread = order[started++];
            threadIdx = {fibre.thread, 0, 0};
            running->call(arguments);
        }
        to_scheduler(fibre);
    }
}

void begin(Fibre& fibre) {
    if (fibre.stack == nullptr) {
        void* memory = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            abort();
        }
        fibre.stack = static_cast<char*>(memory);
    }
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack;
    fibre.context.uc_stack.ss_size = STACK;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, run_threads, 0);
}

// Orders of the threads of a block, and of the blocks of a launch.
enum Order { FORWARD, REVERSED, SHUFFLED };

template <typename T>
void arrange(std::vector<T>& items, unsigned how, std::mt19937_64& random) {
    if (how == REVERSED) {
        std::vector<T>(items.rbegin(), items.rend()).swap(items);
    } else if (how == SHUFFLED) {
        for (size_t i = items.size(); i > 1; i--) {
            std::swap(items[i - 1], items[random() % i]);
        }
    }
}

// Not memset, which AddressSanitizer would not let write between the variables.
UNCHECKED void forget(unsigned char* from, unsigned char* to) {
    for (; from < to && reinterpret_cast<size_t>(from) % 8 != 0; from++) {
        *const_cast<volatile unsigned char*>(from) = UNWRITTEN;
    }
    for (; from + 8 <= to; from += 8) {
        *reinterpret_cast<volatile unsigned long long*>(from) = ~0ull;
    }
    for (; from < to; from++) {
        *const_cast<volatile unsigned char*>(from) = UNWRITTEN;
    }
}

// Returns whether all threads of the block reached every barrier.
bool run_block(unsigned threads, unsigned shared_bytes, unsigned how, std::mt19937_64& random) {
    forget(__start_cuda_shared, __stop_cuda_shared);
    forget(shared, shared + shared_bytes);
    order.resize(threads);
    for (unsigned i = 0; i < threads; i++) {
        order[i] = i;
    }
    arrange(order, how, random);
    started = 0;
    std::vector<Fibre*> waiting;
    size_t used = 0;
    while (started < threads) {
        Fibre& fibre = fibres[used];
        resume(fibre);
        if (fibre.waits) {
            waiting.push_back(&fibre);
            used++;
        }
    }
    bool all = waiting.empty() || waiting.size() == threads;
    while (all && !waiting.empty()) {
        arrange(waiting, how == REVERSED ? FORWARD : how, random);
        std::vector<Fibre*> again;
        for (Fibre* fibre : waiting) {
            resume(*fibre);
            if (fibre->waits) {
                again.push_back(fibre);
            }
        }
        all = again.empty() || again.size() == threads;
        waiting.swap(again);
    }
    if (!all) {
        // Their threads will never end.
        for (Fibre& fibre : fibres) {
            begin(fibre);
        }
    }
    return all;
}

const char* failure(const std::string& message) {
    static std::string last;
    last = message;
    return last.c_str();
}

}  // namespace

void* dynamic_shared() { return shared; }

void __syncthreads() {
    Fibre& fibre = *current;
    fibre.waits = true;
    to_scheduler(fibre);
    fibre.waits = false;
}

// Memory on which nothing was written yet.
EXPORTED void* cuda_on_cpu_allocate(size_t bytes) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 256, bytes == 0 ? 1 : bytes) != 0) {
        return nullptr;
    }
    memset(memory, UNWRITTEN, bytes);
    return memory;
}

EXPORTED void cuda_on_cpu_free(void* memory) { free(memory); }

// Runs a kernel. `letters` has one letter for each argument. Returns what is wrong with the launch, or null.
EXPORTED const char* cuda_on_cpu_launch(const char* name, const unsigned* blocks, unsigned threads, unsigned shared_bytes,
                                          const char* letters, const unsigned long long* values, unsigned how,
                                          unsigned long long seed) {
    running = nullptr;
    for (const Kernel& kernel : kernels) {
        if (kernel.name == name) {
            running = &kernel;
        }
    }
    if (running == nullptr) {
        return failure("no such kernel");
    }
    if (running->parameters != letters) {
        return failure("the parameters are " + running->parameters + ", the arguments " + letters);
    }
    if (threads == 0 || threads > MOST_THREADS || shared_bytes > DYNAMIC_SHARED_BYTES || blocks[0] > 0x7fffffff ||
        blocks[1] > 0xffff || blocks[2] > 0xffff) {
        return failure("the grid is too large");
    }
    if (fibres.empty()) {
        fibres.resize(MOST_THREADS);
        for (Fibre& fibre : fibres) {
            begin(fibre);
        }
    }
    arguments = values;
    blockDim = {threads, 1, 1};
    gridDim = {blocks[0], blocks[1], blocks[2]};
    std::mt19937_64 random(seed);
    std::vector<uint3> all;
    for (unsigned z = 0; z < blocks[2]; z++) {
        for (unsigned y = 0; y < blocks[1]; y++) {
            for (unsigned x = 0; x < blocks[0]; x++) {
                all.push_back({x, y, z});
            }
        }
    }
    arrange(all, how, random);
    for (uint3 block : all) {
        blockIdx = block;
        if (!run_block(threads, shared_bytes, how, random)) {
            return failure("a barrier that not all threads of the block reach");
        }
    }
    return nullptr;
}
