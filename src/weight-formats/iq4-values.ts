/** The 16 levels of IQ4_NL and IQ4_XS, from llama.cpp's ggml-common.h: closer together near zero. */
export const iq4Values: Int8Array = Int8Array.of(
  ...[-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113],
);
