// The parts of a training step between matmuls, each one pass over memory. fast.py calls them and gives the
// reasons. `real` is float, or bfloat16 as its 16 bits with -DBFLOAT16. Rows are tokens, and threads share
// rows. Shapes and names are those in fast.py.
//
// model.py defines all results. test_fast.py compares gradients.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef BFLOAT16
using real = uint16_t;

static inline float wide(real x) {
  uint32_t bits = uint32_t(x) << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}

// Rounds to nearest, ties to even.
static inline real narrow(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return real((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
#else
using real = float;

static inline float wide(real x) { return x; }
static inline real narrow(float x) { return x; }
#endif

static inline float wide(int32_t x) { return float(x); }

// Quantizes a row to integers −128 … 127. Returns the scale.
static inline float quantize_row(const float* x, int size, int8_t* codes) {
  float largest = 1e-5f;
  for (int i = 0; i < size; i++) largest = std::max(largest, std::fabs(x[i]));
  float scale = 127.0f / largest;
  for (int i = 0; i < size; i++) codes[i] = int8_t(std::min(127.0f, std::max(-128.0f, std::nearbyintf(x[i] * scale))));
  return scale;
}

// Differs at each call, so that every stochastic rounding has its own numbers.
static uint32_t calls = 0;

// An even distribution over 0 … 1, from a row's seed and a column.
static inline float chance(uint32_t seed, uint32_t i) {
  uint32_t bits = (seed ^ i) * 0x9e3779b1u;
  bits = (bits ^ (bits >> 15)) * 0x85ebca77u;
  bits = (bits ^ (bits >> 13)) * 0xc2b2ae3du;
  return float((bits ^ (bits >> 16)) >> 8) * (1.0f / 16777216.0f);
}

// Rounds up or down at random, so that the mean is exact.
static inline int8_t round_by_chance(float x, uint32_t seed, int i) {
  return int8_t(std::min(127.0f, std::max(-127.0f, std::floor(x + chance(seed, uint32_t(i))))));
}

// Quantizes a row of a gradient to integers −127 … 127. Returns the value of 1.
static inline float quantize_gradient_row(const float* x, int size, uint32_t seed, int8_t* codes) {
  float largest = 1e-30f;
  for (int i = 0; i < size; i++) largest = std::max(largest, std::fabs(x[i]));
  float scale = 127.0f / largest;
  for (int i = 0; i < size; i++) codes[i] = round_by_chance(x[i] * scale, seed, i);
  return largest / 127.0f;
}

static inline uint32_t row_seed(int row) { return (calls * 0x2c1b3c6du) ^ (uint32_t(row) * 0x297a2d39u); }

static inline float inverse_rms(const float* x, int size, float epsilon) {
  float sum = 0;
  for (int i = 0; i < size; i++) sum += x[i] * x[i];
  return 1.0f / std::sqrt(sum / size + epsilon);
}

// The backward pass of y = x · r(x) · w. `g` is the gradient of y, and `out` gets the gradient of x. The
// gradient of w is added to `dw`.
static inline void norm_back_row(const float* g, const float* x, const float* w, float r, int size, float* out, float* dw) {
  float dot = 0;
  for (int i = 0; i < size; i++) dot += g[i] * w[i] * x[i];
  float pull = dot * r * r * r / size;
  for (int i = 0; i < size; i++) {
    dw[i] += g[i] * x[i] * r;
    out[i] = g[i] * w[i] * r - x[i] * pull;
  }
}

// Calls row(t, dw) for every token. The threads' sums of `dw` [size] are added up at the end.
template <typename Row>
static void rows_with_sums(int tokens, int size, float* dw, Row row) {
#pragma omp parallel
  {
    std::vector<float> own(size, 0.0f);
#pragma omp for schedule(static)
    for (int t = 0; t < tokens; t++) row(t, own.data());
#pragma omp critical
    for (int i = 0; i < size; i++) dw[i] += own[i];
  }
}

// dx += the gradient of the norm's input. Codes and their `steps` are the sum, quantized. get(t, i) is the
// norm's gradient.
template <typename Get>
static void norm_back_rows(Get get, const float* x, const float* w, const float* rs, int tokens, int width, float* dx,
                           int8_t* codes, float* steps, float* dw) {
  calls++;
  rows_with_sums(tokens, width, dw, [=](int t, float* own) {
    int64_t at = int64_t(t) * width;
    float gradient[4096], out[4096];
    for (int i = 0; i < width; i++) gradient[i] = get(t, i);
    norm_back_row(gradient, x + at, w, rs[t], width, out, own);
    for (int i = 0; i < width; i++) dx[at + i] += out[i];
    steps[t] = quantize_gradient_row(dx + at, width, row_seed(t), codes + at);
  });
}

extern "C" {

// codes = the ternary weights of `masters`. Returns the scale: their mean magnitude.
float ternarize(const float* masters, int64_t count, int8_t* codes) {
  double sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
  for (int64_t block = 0; block < count; block += 1024) {
    float part = 0;
    for (int64_t i = block; i < std::min(count, block + 1024); i++) part += std::fabs(masters[i]);
    sum += part;
  }
  float scale = std::max(1e-5f, float(sum / count)), inverse = 1.0f / scale;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++) {
    codes[i] = int8_t(std::min(1.0f, std::max(-1.0f, std::nearbyintf(masters[i] * inverse))));
  }
  return scale;
}

// out = codes · factors[row], rounded by chance to −127 … 127. Factors are at most 1.
void rescale(const int8_t* codes, const float* factors, int tokens, int size, int8_t* out) {
  calls++;
#pragma omp parallel for schedule(static)
  for (int t = 0; t < tokens; t++) {
    int64_t at = int64_t(t) * size;
    uint32_t seed = row_seed(t);
    for (int i = 0; i < size; i++) out[at + i] = round_by_chance(codes[at + i] * factors[t], seed, i);
  }
}

// x += y · (matrix_scale / y_scale), if y is given. Then computes and quantizes its norm. Without `scales`
// the norm itself goes to `values`.
void add_norm_quantize(float* x, const int32_t* y, const float* y_scales, float matrix_scale, const float* w, float epsilon,
                       int tokens, int width, int8_t* codes, real* values, float* scales, float* rs) {
#pragma omp parallel
  {
    std::vector<float> buffer(width);
    float* normed = buffer.data();
#pragma omp for schedule(static)
    for (int t = 0; t < tokens; t++) {
      float* row = x + int64_t(t) * width;
      int64_t at = int64_t(t) * width;
      if (y) {
        float factor = matrix_scale / y_scales[t];
        for (int i = 0; i < width; i++) row[i] += wide(y[at + i]) * factor;
      }
      float r = rs[t] = inverse_rms(row, width, epsilon);
      for (int i = 0; i < width; i++) normed[i] = row[i] * r * w[i];
      if (scales) {
        scales[t] = quantize_row(normed, width, codes + at);
      } else {
        for (int i = 0; i < width; i++) values[at + i] = narrow(normed[i]);
      }
    }
  }
}

void norm_back(const int32_t* g, const float* g_steps, const float* x, const float* w, const float* rs, int tokens, int width,
               float* dx, int8_t* codes, float* steps, float* dw) {
  auto get = [=](int t, int i) { return g[int64_t(t) * width + i] * g_steps[t]; };
  norm_back_rows(get, x, w, rs, tokens, width, dx, codes, steps, dw);
}

// The same for a norm with two gradients.
void norm_back_two(const int32_t* g, const float* g_steps, const int32_t* h, const float* h_steps, const float* x,
                   const float* w, const float* rs, int tokens, int width, float* dx, int8_t* codes, float* steps, float* dw) {
  auto get = [=](int t, int i) {
    int64_t at = int64_t(t) * width + i;
    return g[at] * g_steps[t] + h[at] * h_steps[t];
  };
  norm_back_rows(get, x, w, rs, tokens, width, dx, codes, steps, dw);
}

void last_norm_back(const real* g, const float* x, const float* w, const float* rs, int tokens, int width, float* dx,
                    int8_t* codes, float* steps, float* dw) {
  auto get = [=](int t, int i) { return wide(g[int64_t(t) * width + i]); };
  norm_back_rows(get, x, w, rs, tokens, width, dx, codes, steps, dw);
}

// hidden = relu(gate)² · up, normalized and quantized. gate_up [tokens, 2 · size] are matmul results without
// their scales.
void glu_quantize(const int32_t* gate_up, const float* in_scales, float gate_scale, float up_scale, const float* w,
                  float epsilon, int tokens, int size, int8_t* codes, float* scales, float* rs) {
#pragma omp parallel
  {
    std::vector<float> buffer(size);
    float* hidden = buffer.data();
#pragma omp for schedule(static)
    for (int t = 0; t < tokens; t++) {
      const int32_t *gate = gate_up + int64_t(t) * 2 * size, *up = gate + size;
      float gate_factor = gate_scale / in_scales[t], up_factor = up_scale / in_scales[t];
      for (int i = 0; i < size; i++) {
        float p = std::max(0.0f, wide(gate[i]) * gate_factor);
        hidden[i] = p * p * wide(up[i]) * up_factor;
      }
      float r = rs[t] = inverse_rms(hidden, size, epsilon);
      for (int i = 0; i < size; i++) hidden[i] *= r * w[i];
      scales[t] = quantize_row(hidden, size, codes + int64_t(t) * size);
    }
  }
}

// The gradient of gate_up times its matrices' scales, quantized. The gradient of hidden is
// g · g_steps[t] · g_factor.
void glu_back(const int32_t* g, const float* g_steps, float g_factor, const int32_t* gate_up, const float* in_scales,
              float gate_scale, float up_scale, const float* w, const float* rs, int tokens, int size, int8_t* codes,
              float* steps, float* dw) {
  calls++;
  rows_with_sums(tokens, size, dw, [=](int t, float* own) {
    const int32_t *gate = gate_up + int64_t(t) * 2 * size, *up = gate + size;
    float gate_factor = gate_scale / in_scales[t], up_factor = up_scale / in_scales[t], factor = g_steps[t] * g_factor;
    float gradient[8192], hidden[8192], out[8192], both[16384];
    for (int i = 0; i < size; i++) {
      float p = std::max(0.0f, wide(gate[i]) * gate_factor);
      hidden[i] = p * p * wide(up[i]) * up_factor;
      gradient[i] = wide(g[int64_t(t) * size + i]) * factor;
    }
    norm_back_row(gradient, hidden, w, rs[t], size, out, own);
    for (int i = 0; i < size; i++) {
      float p = std::max(0.0f, wide(gate[i]) * gate_factor), u = wide(up[i]) * up_factor;
      both[i] = out[i] * 2.0f * p * u * gate_scale;
      both[size + i] = out[i] * p * p * up_scale;
    }
    steps[t] = quantize_gradient_row(both, 2 * size, row_seed(t), codes + int64_t(t) * 2 * size);
  });
}

// Applies scales to the matmul results, and rotary embedding to queries and keys.
// qk [windows · length, (heads + kv_heads) · size], values [windows · length, kv_heads · size].
// q [windows, heads, length, size], k and v [windows, kv_heads, length, size].
void split_heads(const int32_t* qk, const int32_t* values, const float* in_scales, float q_scale, float k_scale, float v_scale,
                 const float* cosines, const float* sines, int windows, int length, int heads, int kv_heads, int size, real* q,
                 real* k, real* v) {
  int half = size / 2, both = heads + kv_heads;
#pragma omp parallel for schedule(static)
  for (int row = 0; row < windows * length; row++) {
    int64_t window = row / length, t = row % length;
    const float *c = cosines + t * half, *s = sines + t * half;
    for (int h = 0; h < both; h++) {
      const int32_t* in = qk + (int64_t(row) * both + h) * size;
      float factor = (h < heads ? q_scale : k_scale) / in_scales[row];
      real* out = h < heads ? q + ((window * heads + h) * length + t) * size
                            : k + ((window * kv_heads + h - heads) * length + t) * size;
      for (int i = 0; i < half; i++) {
        float a = wide(in[i]) * factor, b = wide(in[half + i]) * factor;
        out[i] = narrow(a * c[i] - b * s[i]);
        out[half + i] = narrow(b * c[i] + a * s[i]);
      }
    }
    for (int h = 0; h < kv_heads; h++) {
      const int32_t* in = values + (int64_t(row) * kv_heads + h) * size;
      real* out = v + ((window * kv_heads + h) * length + t) * size;
      for (int i = 0; i < size; i++) out[i] = narrow(wide(in[i]) * (v_scale / in_scales[row]));
    }
  }
}

// The gradients of qk times its matrices' scales and of the values, quantized. Gradients of values are
// larger, so they have their own steps.
void split_heads_back(const real* dq, const real* dk, const real* dv, float q_scale, float k_scale, const float* cosines,
                      const float* sines, int windows, int length, int heads, int kv_heads, int size, int8_t* qk_codes,
                      float* qk_steps, int8_t* v_codes, float* v_steps) {
  int half = size / 2, both = heads + kv_heads;
  calls++;
#pragma omp parallel
  {
    std::vector<float> buffer(both * size);
#pragma omp for schedule(static)
    for (int row = 0; row < windows * length; row++) {
      int64_t window = row / length, t = row % length;
      const float *c = cosines + t * half, *s = sines + t * half;
      for (int h = 0; h < both; h++) {
        float *out = buffer.data() + h * size, factor = h < heads ? q_scale : k_scale;
        const real* in = h < heads ? dq + ((window * heads + h) * length + t) * size
                                   : dk + ((window * kv_heads + h - heads) * length + t) * size;
        for (int i = 0; i < half; i++) {
          float a = wide(in[i]) * factor, b = wide(in[half + i]) * factor;
          out[i] = a * c[i] + b * s[i];
          out[half + i] = b * c[i] - a * s[i];
        }
      }
      uint32_t seed = row_seed(row);
      qk_steps[row] = quantize_gradient_row(buffer.data(), both * size, seed, qk_codes + int64_t(row) * both * size);
      for (int h = 0; h < kv_heads; h++) {
        const real* in = dv + ((window * kv_heads + h) * length + t) * size;
        for (int i = 0; i < size; i++) buffer[h * size + i] = wide(in[i]);
      }
      int values = kv_heads * size;
      v_steps[row] = quantize_gradient_row(buffer.data(), values, seed + 1, v_codes + int64_t(row) * values);
    }
  }
}

// The first position that a query may see, of rows [windows, heads, length] of queries from position `first`
// on. `starts` [windows, total] has it for each position. Null means 0.
static int start_of(const int32_t* starts, int row, int heads, int length, int first, int total) {
  return starts ? starts[int64_t(row / length / heads) * total + first + row % length] : 0;
}

// Scores [windows · heads, length, first + length] → weights, in place: causal softmax of scores · factor.
// The first query is at position `first` of `total`.
void causal_softmax(real* scores, const int32_t* starts, int windows, int heads, int length, int first, int total,
                    float factor) {
  int width = first + length;
#pragma omp parallel
  {
    std::vector<float> buffer(width);
    float* e = buffer.data();
#pragma omp for schedule(static)
    for (int row = 0; row < windows * heads * length; row++) {
      real* x = scores + int64_t(row) * width;
      int start = start_of(starts, row, heads, length, first, total), seen = first + row % length + 1;
      float largest = -1e30f, sum = 0;
      for (int i = start; i < seen; i++) {
        e[i] = wide(x[i]) * factor;
        largest = std::max(largest, e[i]);
      }
      for (int i = start; i < seen; i++) {
        e[i] = std::exp(e[i] - largest);
        sum += e[i];
      }
      float inverse = 1.0f / sum;
      std::memset(x, 0, start * sizeof(real));
      for (int i = start; i < seen; i++) x[i] = narrow(e[i] * inverse);
      std::memset(x + seen, 0, (width - seen) * sizeof(real));
    }
  }
}

// Turns `g`, the gradient of the weights, into the gradient of the scores.
void causal_softmax_back(const real* weights, real* g, const int32_t* starts, int windows, int heads, int length,
                         int first, int total, float factor) {
  int width = first + length;
#pragma omp parallel for schedule(static)
  for (int row = 0; row < windows * heads * length; row++) {
    const real* p = weights + int64_t(row) * width;
    real* x = g + int64_t(row) * width;
    int start = start_of(starts, row, heads, length, first, total), seen = first + row % length + 1;
    float dot = 0;
    for (int i = start; i < seen; i++) dot += wide(p[i]) * wide(x[i]);
    std::memset(x, 0, start * sizeof(real));
    for (int i = start; i < seen; i++) x[i] = narrow(wide(p[i]) * (wide(x[i]) - dot) * factor);
    std::memset(x + seen, 0, (width - seen) * sizeof(real));
  }
}

// o [windows, heads, length, size] → the quantized norm of [windows · length, heads · size].
void merge_heads_quantize(const real* o, const float* w, float epsilon, int windows, int length, int heads, int size,
                          int8_t* codes, float* scales, float* rs) {
  int width = heads * size;
#pragma omp parallel
  {
    std::vector<float> buffer(width);
    float* x = buffer.data();
#pragma omp for schedule(static)
    for (int row = 0; row < windows * length; row++) {
      int window = row / length, t = row % length;
      for (int h = 0; h < heads; h++) {
        const real* in = o + ((int64_t(window) * heads + h) * length + t) * size;
        for (int i = 0; i < size; i++) x[h * size + i] = wide(in[i]);
      }
      float r = rs[row] = inverse_rms(x, width, epsilon);
      for (int i = 0; i < width; i++) x[i] *= r * w[i];
      scales[row] = quantize_row(x, width, codes + int64_t(row) * width);
    }
  }
}

// The gradient of the norm is g · g_steps[row] · g_factor.
void merge_heads_back(const int32_t* g, const float* g_steps, float g_factor, const real* o, const float* w, const float* rs,
                      int windows, int length, int heads, int size, real* d_o, float* dw) {
  int width = heads * size;
  rows_with_sums(windows * length, width, dw, [=](int row, float* own) {
    int window = row / length, t = row % length;
    float gradient[4096], x[4096], out[4096];
    for (int h = 0; h < heads; h++) {
      const real* in = o + ((int64_t(window) * heads + h) * length + t) * size;
      for (int i = 0; i < size; i++) x[h * size + i] = wide(in[i]);
    }
    for (int i = 0; i < width; i++) gradient[i] = wide(g[int64_t(row) * width + i]) * (g_steps[row] * g_factor);
    norm_back_row(gradient, x, w, rs[row], width, out, own);
    for (int h = 0; h < heads; h++) {
      real* to = d_o + ((int64_t(window) * heads + h) * length + t) * size;
      for (int i = 0; i < size; i++) to[i] = narrow(out[h * size + i]);
    }
  });
}

// Turns logits [tokens, vocabulary] into the gradient of the loss times `factor`. Negative targets do not
// count. Returns the sum of −ln p.
double cross_entropy(real* logits, const int64_t* targets, int tokens, int vocabulary, float factor) {
  double loss = 0;
#pragma omp parallel reduction(+ : loss)
  {
    std::vector<float> buffer(vocabulary);
    float* e = buffer.data();
#pragma omp for schedule(static)
    for (int t = 0; t < tokens; t++) {
      real* x = logits + int64_t(t) * vocabulary;
      int64_t target = targets[t];
      if (target < 0) {
        std::memset(x, 0, vocabulary * sizeof(real));
        continue;
      }
      float largest = -1e30f, sum = 0, hit = wide(x[target]);
      for (int i = 0; i < vocabulary; i++) {
        e[i] = wide(x[i]);
        largest = std::max(largest, e[i]);
      }
      for (int i = 0; i < vocabulary; i++) {
        e[i] = std::exp(e[i] - largest);
        sum += e[i];
      }
      loss += std::log(sum) + largest - hit;
      float inverse = factor / sum;
      for (int i = 0; i < vocabulary; i++) x[i] = narrow(e[i] * inverse);
      x[target] = narrow(e[target] * inverse - factor);
    }
  }
  return loss;
}
}
