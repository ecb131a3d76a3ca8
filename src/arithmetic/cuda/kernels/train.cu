// The inputs of a step that lie on the GPU, and the counter of steps.

// Ends a step: the next launches belong to the next step.
extern "C" __global__ void advance(u32* step) { *step += 1; }
