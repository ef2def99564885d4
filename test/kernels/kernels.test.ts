import { expect, it } from "vitest";
import { compileBuilds, kernelNames } from "./builds.js";
import { defineKernelTests } from "./define-kernel-tests.js";
import { kernelTwins } from "./kernel-twins.js";

it("every export of every build has a twin, and every twin an export", async () => {
  for (const build of await compileBuilds())
    expect(kernelNames(build)).toEqual(Object.keys(kernelTwins).sort());
});

// The engine's default: the baseline compiler first, then the optimising one.
defineKernelTests("as the engine compiles it");
