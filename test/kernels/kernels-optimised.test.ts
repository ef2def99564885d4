import * as v8 from "node:v8";
import { defineKernelTests } from "./define-kernel-tests.js";

// Most of a model's time is spent in optimised code, and engines have had bugs in one compiler only: compile everything with
// the optimising one at once. Has to be set before the first module is compiled; test files have a process each.
if (process.versions.v8 !== undefined) v8.setFlagsFromString("--no-liftoff");

defineKernelTests("optimised");
