/**
 * Speeds of bitnet.cpp's dummy models, from its report. The text of the report has one figure, of the largest
 * model. Its table of sizes is missing here: copy it from the report.
 */
export const published = {
  source:
    "bitnet.cpp, arXiv 2410.16144, section 1: a 100B model at 5–7 tokens/s on one CPU; 1.37–5.07 times " +
    "llama.cpp's speed on ARM CPUs and 2.37–6.17 times on x86",
  speeds: { "100B": "5–7" },
};
