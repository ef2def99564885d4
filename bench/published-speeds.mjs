/**
 * Generated tokens per second of bitnet.cpp's dummy models, read off the labels of its own figures. The
 * figures do not name the kernel, the number of threads or the length of the text.
 */
export const published = [
  {
    cpu: "Intel i7-13700H",
    source: "github.com/microsoft/BitNet at e9ab883 (2024-10-18), assets/intel_performance.jpg",
    /** Six fast and eight slow ones, for 20 threads. */
    cores: 14,
    /** The memory of this laptop is not named. */
    bandwidthGb: undefined,
    speeds: {
      "125M": 389.08,
      "350M": 172.95,
      "700M": 119.08,
      "1B": 86.5,
      "1.5B": 67.12,
      "2.7B": 46.33, // labelled 2.5B
      "3.8B": 30.51,
      "7B": 18.75,
      "13B": 10.99,
      "30B": 5.1,
      "70B": 2.44,
      "100B": 1.7,
    },
  },
  {
    cpu: "Apple M2 Ultra",
    source: "github.com/microsoft/BitNet at a82fabc (2024-10-17), assets/m2_performance.jpg",
    /** Sixteen fast and eight slow ones. */
    cores: 24,
    /** Apple's number, for CPU and GPU together. */
    bandwidthGb: 800,
    speeds: {
      "125M": 593.43,
      "350M": 281.51,
      "700M": 194.38,
      "1B": 169.45,
      "1.5B": 119.24,
      "2.7B": 96.21, // labelled 2.5B
      "3.8B": 84.77,
      "7B": 52.36,
      "13B": 33.78,
      "30B": 17.07,
      "70B": 8.67,
      "100B": 6.58,
    },
  },
];
