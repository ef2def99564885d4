import { type KernelCase, type KernelTwin, requireSame } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

export const sumWordsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(601);
    // Sizes in lines of 64 bytes: around four, where the streams begin, and more than one turn of the
    // streams.
    for (const lines of [0, 1, 3, 4, 5, 7, 8, 13, 1600]) {
      const words = numbers.noise(lines * 64);
      const view = new DataView(words.buffer);
      let expected = 0;
      for (let at = 0; at < words.length; at += 4) expected = (expected + view.getInt32(at, true)) | 0;
      yield {
        name: `${lines} lines`,
        blocks: { words },
        aligned: [],
        writes: {},
        ways: [
          (kernels, at) => kernels.sum_words(at("words"), words.length),
          (kernels, at) => {
            let sum = 0;
            for (let begin = 0; begin < words.length; begin += 64)
              sum = (sum + kernels.sum_words(at("words") + begin, 64)) | 0;
            return sum;
          },
        ],
        check: (outcome) => requireSame([outcome.returned ?? NaN], [expected], "sum"),
      };
    }
  },
};
