// The parts of a training step between matmuls, each one pass over memory. fast.py calls them and gives the
// reasons. `bf16` is bfloat16 as its 16 bits. Rows are tokens, and threads share rows. Shapes and names are
// those in fast.py.
//
// model.py defines all results. test_fast.py compares gradients.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

using bf16 = uint16_t;

static inline float wide(bf16 x) {
  uint32_t bits = uint32_t(x) << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}

// Rounds to nearest, ties to even.
static inline bf16 narrow(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Quantizes a row to integers −128 … 127, and stores their values. Returns the scale.
static inline float quantize_row(const float* x, int size, bf16* codes, bf16* values) {
  float largest = 1e-5f;
  for (int i = 0; i < size; i++) largest = std::max(largest, std::fabs(x[i]));
  float scale = 127.0f / largest, back = largest / 127.0f;
  for (int i = 0; i < size; i++) {
    float code = std::min(127.0f, std::max(-128.0f, std::nearbyintf(x[i] * scale)));
    codes[i] = narrow(code);
    values[i] = narrow(code * back);
  }
  return scale;
}

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

extern "C" {

// codes = the ternary weights of `masters`, scaled = codes · scale. Returns the scale: their mean magnitude.
float ternarize(const float* masters, int64_t count, bf16* codes, bf16* scaled) {
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
    float code = std::min(1.0f, std::max(-1.0f, std::nearbyintf(masters[i] * inverse)));
    codes[i] = narrow(code);
    scaled[i] = narrow(code * scale);
  }
  return scale;
}

// x += y · (matrix_scale / y_scale), if y is given. Then computes and quantizes its norm. Without `scales`
// the norm itself goes to `values`.
void add_norm_quantize(float* x, const bf16* y, const float* y_scales, float matrix_scale, const float* w, float epsilon,
                       int tokens, int width, bf16* codes, bf16* values, float* scales, float* rs) {
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
        scales[t] = quantize_row(normed, width, codes + at, values + at);
      } else {
        for (int i = 0; i < width; i++) values[at + i] = narrow(normed[i]);
      }
    }
  }
}

// dx += the gradient of the norm's input. dx_narrow is the sum as bf16.
void norm_back(const bf16* g, const float* x, const float* w, const float* rs, int tokens, int width, float* dx,
               bf16* dx_narrow, float* dw) {
  rows_with_sums(tokens, width, dw, [=](int t, float* own) {
    int64_t at = int64_t(t) * width;
    float gradient[4096], out[4096];
    for (int i = 0; i < width; i++) gradient[i] = wide(g[at + i]);
    norm_back_row(gradient, x + at, w, rs[t], width, out, own);
    for (int i = 0; i < width; i++) {
      dx[at + i] += out[i];
      dx_narrow[at + i] = narrow(dx[at + i]);
    }
  });
}

// hidden = relu(gate)² · up, normalized and quantized. gate_up [tokens, 2 · size] are matmul results without
// their scales.
void glu_quantize(const bf16* gate_up, const float* in_scales, float gate_scale, float up_scale, const float* w, float epsilon,
                  int tokens, int size, bf16* codes, bf16* values, float* scales, float* rs) {
#pragma omp parallel
  {
    std::vector<float> buffer(size);
    float* hidden = buffer.data();
#pragma omp for schedule(static)
    for (int t = 0; t < tokens; t++) {
      const bf16 *gate = gate_up + int64_t(t) * 2 * size, *up = gate + size;
      float gate_factor = gate_scale / in_scales[t], up_factor = up_scale / in_scales[t];
      for (int i = 0; i < size; i++) {
        float p = std::max(0.0f, wide(gate[i]) * gate_factor);
        hidden[i] = p * p * wide(up[i]) * up_factor;
      }
      float r = rs[t] = inverse_rms(hidden, size, epsilon);
      for (int i = 0; i < size; i++) hidden[i] *= r * w[i];
      scales[t] = quantize_row(hidden, size, codes + int64_t(t) * size, values + int64_t(t) * size);
    }
  }
}

void glu_back(const bf16* g, const bf16* gate_up, const float* in_scales, float gate_scale, float up_scale, const float* w,
              const float* rs, int tokens, int size, bf16* d_gate_up, float* dw) {
  rows_with_sums(tokens, size, dw, [=](int t, float* own) {
    const bf16 *gate = gate_up + int64_t(t) * 2 * size, *up = gate + size;
    bf16 *d_gate = d_gate_up + int64_t(t) * 2 * size, *d_up = d_gate + size;
    float gate_factor = gate_scale / in_scales[t], up_factor = up_scale / in_scales[t];
    float gradient[8192], hidden[8192], out[8192];
    for (int i = 0; i < size; i++) {
      float p = std::max(0.0f, wide(gate[i]) * gate_factor);
      hidden[i] = p * p * wide(up[i]) * up_factor;
      gradient[i] = wide(g[int64_t(t) * size + i]);
    }
    norm_back_row(gradient, hidden, w, rs[t], size, out, own);
    for (int i = 0; i < size; i++) {
      float p = std::max(0.0f, wide(gate[i]) * gate_factor), u = wide(up[i]) * up_factor;
      d_gate[i] = narrow(out[i] * 2.0f * p * u);
      d_up[i] = narrow(out[i] * p * p);
    }
  });
}

// Applies scales to the matmul results [windows · length, (heads + 2 · kv_heads) · size], and rotary
// embedding to queries and keys.
// q [windows, heads, length, size], k and v [windows, kv_heads, length, size].
void split_heads(const bf16* qkv, const float* in_scales, const float* matrix_scales, const float* cosines, const float* sines,
                 int windows, int length, int heads, int kv_heads, int size, bf16* q, bf16* k, bf16* v) {
  int half = size / 2, all = heads + 2 * kv_heads;
#pragma omp parallel for schedule(static)
  for (int row = 0; row < windows * length; row++) {
    int window = row / length, t = row % length;
    for (int h = 0; h < all; h++) {
      const bf16* in = qkv + (int64_t(row) * all + h) * size;
      bool query = h < heads, value = h >= heads + kv_heads;
      float factor = matrix_scales[query ? 0 : value ? 2 : 1] / in_scales[row];
      int within = query ? h : value ? h - heads - kv_heads : h - heads;
      bf16* out = (query ? q : value ? v : k) + ((int64_t(window) * (query ? heads : kv_heads) + within) * length + t) * size;
      const float *c = cosines + int64_t(t) * half, *s = sines + int64_t(t) * half;
      if (value) {
        for (int i = 0; i < size; i++) out[i] = narrow(wide(in[i]) * factor);
      } else {
        for (int i = 0; i < half; i++) {
          float a = wide(in[i]) * factor, b = wide(in[half + i]) * factor;
          out[i] = narrow(a * c[i] - b * s[i]);
          out[half + i] = narrow(b * c[i] + a * s[i]);
        }
      }
    }
  }
}

void split_heads_back(const bf16* dq, const bf16* dk, const bf16* dv, const float* cosines, const float* sines, int windows,
                      int length, int heads, int kv_heads, int size, bf16* d_qkv) {
  int half = size / 2, all = heads + 2 * kv_heads;
#pragma omp parallel for schedule(static)
  for (int row = 0; row < windows * length; row++) {
    int window = row / length, t = row % length;
    for (int h = 0; h < all; h++) {
      bf16* out = d_qkv + (int64_t(row) * all + h) * size;
      bool query = h < heads, value = h >= heads + kv_heads;
      int within = query ? h : value ? h - heads - kv_heads : h - heads;
      const bf16* in =
          (query ? dq : value ? dv : dk) + ((int64_t(window) * (query ? heads : kv_heads) + within) * length + t) * size;
      const float *c = cosines + int64_t(t) * half, *s = sines + int64_t(t) * half;
      if (value) {
        std::memcpy(out, in, size * sizeof(bf16));
      } else {
        for (int i = 0; i < half; i++) {
          float a = wide(in[i]), b = wide(in[half + i]);
          out[i] = narrow(a * c[i] + b * s[i]);
          out[half + i] = narrow(b * c[i] - a * s[i]);
        }
      }
    }
  }
}

// Scores [count, length, length] → weights, in place: causal softmax of scores · factor.
void causal_softmax(bf16* scores, int count, int length, float factor) {
#pragma omp parallel
  {
    std::vector<float> buffer(length);
    float* e = buffer.data();
#pragma omp for schedule(static)
    for (int row = 0; row < count * length; row++) {
      bf16* x = scores + int64_t(row) * length;
      int seen = row % length + 1;
      float largest = -1e30f, sum = 0;
      for (int i = 0; i < seen; i++) {
        e[i] = wide(x[i]) * factor;
        largest = std::max(largest, e[i]);
      }
      for (int i = 0; i < seen; i++) {
        e[i] = std::exp(e[i] - largest);
        sum += e[i];
      }
      float inverse = 1.0f / sum;
      for (int i = 0; i < seen; i++) x[i] = narrow(e[i] * inverse);
      std::memset(x + seen, 0, (length - seen) * sizeof(bf16));
    }
  }
}

// Turns `g`, the gradient of the weights, into the gradient of the scores.
void causal_softmax_back(const bf16* weights, bf16* g, int count, int length, float factor) {
#pragma omp parallel for schedule(static)
  for (int row = 0; row < count * length; row++) {
    const bf16* p = weights + int64_t(row) * length;
    bf16* x = g + int64_t(row) * length;
    int seen = row % length + 1;
    float dot = 0;
    for (int i = 0; i < seen; i++) dot += wide(p[i]) * wide(x[i]);
    for (int i = 0; i < seen; i++) x[i] = narrow(wide(p[i]) * (wide(x[i]) - dot) * factor);
    std::memset(x + seen, 0, (length - seen) * sizeof(bf16));
  }
}

// o [windows, heads, length, size] → the quantized norm of [windows · length, heads · size].
void merge_heads_quantize(const bf16* o, const float* w, float epsilon, int windows, int length, int heads, int size,
                          bf16* codes, bf16* values, float* scales, float* rs) {
  int width = heads * size;
#pragma omp parallel
  {
    std::vector<float> buffer(width);
    float* x = buffer.data();
#pragma omp for schedule(static)
    for (int row = 0; row < windows * length; row++) {
      int window = row / length, t = row % length;
      for (int h = 0; h < heads; h++) {
        const bf16* in = o + ((int64_t(window) * heads + h) * length + t) * size;
        for (int i = 0; i < size; i++) x[h * size + i] = wide(in[i]);
      }
      float r = rs[row] = inverse_rms(x, width, epsilon);
      for (int i = 0; i < width; i++) x[i] *= r * w[i];
      scales[row] = quantize_row(x, width, codes + int64_t(row) * width, values + int64_t(row) * width);
    }
  }
}

void merge_heads_back(const bf16* g, const bf16* o, const float* w, const float* rs, int windows, int length, int heads,
                      int size, bf16* d_o, float* dw) {
  int width = heads * size;
  rows_with_sums(windows * length, width, dw, [=](int row, float* own) {
    int window = row / length, t = row % length;
    float gradient[4096], x[4096], out[4096];
    for (int h = 0; h < heads; h++) {
      const bf16* in = o + ((int64_t(window) * heads + h) * length + t) * size;
      for (int i = 0; i < size; i++) x[h * size + i] = wide(in[i]);
    }
    for (int i = 0; i < width; i++) gradient[i] = wide(g[int64_t(row) * width + i]);
    norm_back_row(gradient, x, w, rs[row], width, out, own);
    for (int h = 0; h < heads; h++) {
      bf16* to = d_o + ((int64_t(window) * heads + h) * length + t) * size;
      for (int i = 0; i < size; i++) to[i] = narrow(out[h * size + i]);
    }
  });
}

// Turns logits [tokens, vocabulary] into the gradient of the loss times `factor`. Negative targets do not
// count. Returns the sum of −ln p.
double cross_entropy(bf16* logits, const int64_t* targets, int tokens, int vocabulary, float factor) {
  double loss = 0;
#pragma omp parallel reduction(+ : loss)
  {
    std::vector<float> buffer(vocabulary);
    float* e = buffer.data();
#pragma omp for schedule(static)
    for (int t = 0; t < tokens; t++) {
      bf16* x = logits + int64_t(t) * vocabulary;
      int64_t target = targets[t];
      if (target < 0) {
        std::memset(x, 0, vocabulary * sizeof(bf16));
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
