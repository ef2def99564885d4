import * as v8 from "node:v8";
import { defineKernelTests } from "./define-kernel-tests.js";

// A model spends most of its time in optimised code, and engines have had bugs in one compiler only. So the
// optimising compiler compiles everything at once here. The flag must be set before the first module is
// compiled. Each test file has its own process.
if (process.versions.v8 !== undefined) v8.setFlagsFromString("--no-liftoff");

defineKernelTests("optimised");
