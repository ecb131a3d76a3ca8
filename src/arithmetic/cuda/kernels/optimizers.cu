// The update rules of src/arithmetic/kernels/optimizers.rs, over all parameters at once. `factors` has `count` numbers
// for each step: those of `factors` in src/arithmetic/optimizers.rs, then 1 in the first step of a training and 0 in the
// others.

extern "C" __global__ void __launch_bounds__(256)
sgd(float* __restrict__ p, const float* __restrict__ gradient, const float* __restrict__ factors, u32 count,
    const u32* __restrict__ step, float weight_decay, u64 n) {
    const float* f = factors + (u64)*step * count;
    float lr = f[0];
    FOR_EACH_VALUE(i, n) {
        float g = __fmaf_rn(weight_decay, p[i], gradient[i]);
        p[i] = __fmaf_rn(-lr, g, p[i]);
    }
}

extern "C" __global__ void __launch_bounds__(256)
sgd_momentum(float* __restrict__ p, const float* __restrict__ gradient, float* __restrict__ buffer, const float* __restrict__ factors,
             u32 count, const u32* __restrict__ step, float gradient_share, float weight_decay, u32 nesterov, u64 n) {
    const float* f = factors + (u64)*step * count;
    float lr = f[0], momentum = f[1];
    bool first = f[count - 1] == 1.0f;
    FOR_EACH_VALUE(i, n) {
        float g = __fmaf_rn(weight_decay, p[i], gradient[i]);
        float kept = first ? g : __fmaf_rn(gradient_share, g, __fmul_rn(momentum, buffer[i]));
        buffer[i] = kept;
        float update = nesterov ? __fmaf_rn(momentum, kept, g) : kept;
        p[i] = __fmaf_rn(-lr, update, p[i]);
    }
}

// Adam. If `decoupled`, AdamW: a step's fifth factor multiplies the weights before the update.
extern "C" __global__ void __launch_bounds__(256)
adam(float* __restrict__ p, const float* __restrict__ gradient, float* __restrict__ average, float* __restrict__ square,
     const float* __restrict__ factors, u32 count, const u32* __restrict__ step, u32 decoupled, float beta2, float one_minus_beta2,
     float eps, float weight_decay, u64 n) {
    const float* f = factors + (u64)*step * count;
    float step_size = f[0], correction2_sqrt = f[1], beta1 = f[2], one_minus_beta1 = f[3], decay_factor = decoupled ? f[4] : 1.0f;
    FOR_EACH_VALUE(i, n) {
        float weight = __fmul_rn(p[i], decay_factor);
        float g = __fmaf_rn(weight_decay, weight, gradient[i]);
        float first_moment = __fmaf_rn(one_minus_beta1, g, __fmul_rn(beta1, average[i]));
        float second_moment = __fmaf_rn(one_minus_beta2, __fmul_rn(g, g), __fmul_rn(beta2, square[i]));
        average[i] = first_moment;
        square[i] = second_moment;
        float root = __fadd_rn(__fdiv_rn(__fsqrt_rn(second_moment), correction2_sqrt), eps);
        p[i] = __fmaf_rn(-step_size, __fdiv_rn(first_moment, root), weight);
    }
}

extern "C" __global__ void __launch_bounds__(256)
adadelta(float* __restrict__ p, const float* __restrict__ gradient, float* __restrict__ square, float* __restrict__ delta,
         const float* __restrict__ factors, u32 count, const u32* __restrict__ step, float rho, float one_minus_rho, float eps,
         float weight_decay, u64 n) {
    const float* f = factors + (u64)*step * count;
    float lr = f[0];
    FOR_EACH_VALUE(i, n) {
        float g = __fmaf_rn(weight_decay, p[i], gradient[i]);
        float mean_square = __fmaf_rn(one_minus_rho, __fmul_rn(g, g), __fmul_rn(rho, square[i]));
        square[i] = mean_square;
        float ratio = __fdiv_rn(__fsqrt_rn(__fadd_rn(delta[i], eps)), __fsqrt_rn(__fadd_rn(mean_square, eps)));
        float update = __fmul_rn(ratio, g);
        delta[i] = __fmaf_rn(one_minus_rho, __fmul_rn(update, update), __fmul_rn(rho, delta[i]));
        p[i] = __fmaf_rn(-lr, update, p[i]);
    }
}

// `buffer` is null without momentum, `average` unless centered. A variance below zero can only be a rounding error.
extern "C" __global__ void __launch_bounds__(256)
rmsprop(float* __restrict__ p, const float* __restrict__ gradient, float* __restrict__ square, float* __restrict__ buffer,
        float* __restrict__ average, const float* __restrict__ factors, u32 count, const u32* __restrict__ step, float alpha,
        float one_minus_alpha, float eps, float weight_decay, u64 n) {
    const float* f = factors + (u64)*step * count;
    float lr = f[0], momentum = f[1];
    FOR_EACH_VALUE(i, n) {
        float g = __fmaf_rn(weight_decay, p[i], gradient[i]);
        float variance = __fmaf_rn(one_minus_alpha, __fmul_rn(g, g), __fmul_rn(alpha, square[i]));
        square[i] = variance;
        if (average) {
            float mean = __fmaf_rn(one_minus_alpha, g, __fmul_rn(alpha, average[i]));
            average[i] = mean;
            variance = __fmaf_rn(-mean, mean, variance);
            variance = variance < 0.0f ? 0.0f : variance;
        }
        float update = __fdiv_rn(g, __fadd_rn(__fsqrt_rn(variance), eps));
        if (buffer) {
            update = __fmaf_rn(momentum, buffer[i], update);
            buffer[i] = update;
        }
        p[i] = __fmaf_rn(-lr, update, p[i]);
    }
}
