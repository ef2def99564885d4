import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Service } from "kubernetes-models/v1/Service";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createMetrics } from "#dist/server/metrics.js";
import { runCli } from "../support/run-cli.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "deploy", "kubernetes");

function read(file: string): object {
  return parse(readFileSync(join(folder, file), "utf8")) as object;
}

/** Each manifest, with its class of the Kubernetes schema and the module of the class. */
const manifests = [
  ["deployment.yaml", Deployment, "apps/v1/Deployment"],
  ["service.yaml", Service, "v1/Service"],
  ["autoscaler.yaml", HorizontalPodAutoscaler, "autoscaling/v2/HorizontalPodAutoscaler"],
  ["disruption-budget.yaml", PodDisruptionBudget, "policy/v1/PodDisruptionBudget"],
] as const;

/**
 * The schema accepts unknown fields, and a cluster drops them. The types of the same package refuse them in a
 * literal.
 */
function typeErrors(module: string, manifest: object): string {
  const name = module.slice(module.lastIndexOf("/") + 1);
  const path = join(root, "test", "server", "manifest.ts");
  const text = `import type { I${name} } from "kubernetes-models/${module}";
export const manifest: I${name} = ${JSON.stringify(manifest)};`;
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2022.d.ts"],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (file, version) =>
    file === path ? ts.createSourceFile(file, text, version) : getSourceFile(file, version);
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([path], options, host));
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")).join("\n");
}

/** @throws an error that names the wrong field. */
function validate(model: new (data: never) => { validate(): void }, manifest: object): void {
  new model(manifest as never).validate();
}

describe("deploy/kubernetes", () => {
  it.each(manifests)("%s follows the schema of Kubernetes, without unknown fields", (file, model, module) => {
    const manifest = read(file);
    expect(manifest).toMatchObject({ apiVersion: model.apiVersion, kind: model.kind });
    validate(model, manifest);
    expect(typeErrors(module, manifest)).toBe("");
  });

  it("the check finds wrong types, and names that the schema does not have", () => {
    const text = readFileSync(join(folder, "service.yaml"), "utf8");
    const wrong = parse(text.replace("port: 80,", 'port: "80",')) as object;
    expect(() => {
      validate(Service, wrong);
    }).toThrow("ports/0/port must be integer");
    const misspelt = parse(text.replace("sessionAffinity", "sessionAfinity")) as object;
    expect(typeErrors("v1/Service", misspelt)).toContain("sessionAfinity");
  });

  it("kustomization.yaml lists every manifest", () => {
    const files = readdirSync(folder).filter((name) => name !== "kustomization.yaml");
    expect(files.toSorted()).toEqual(manifests.map(([file]) => file).toSorted());
    const { resources } = read("kustomization.yaml") as { readonly resources: readonly string[] };
    expect(resources.toSorted()).toEqual(files.toSorted());
  });

  it("the manifests fit each other, the image and the server", async () => {
    const { spec: { template } = {} } = read("deployment.yaml") as Deployment;
    const { spec: service } = read("service.yaml") as Service;
    const { spec: budget } = read("disruption-budget.yaml") as PodDisruptionBudget;
    const { spec: autoscaler } = read("autoscaler.yaml") as HorizontalPodAutoscaler;
    expect(template?.metadata?.labels).toMatchObject(service?.selector ?? { none: "" });
    expect(template?.metadata?.labels).toMatchObject(budget?.selector?.matchLabels ?? { none: "" });
    expect(autoscaler?.scaleTargetRef.name).toBe("bitnet");

    const [container] = template?.spec?.containers ?? [];
    const args = (container?.args ?? []).map((text) => text.split("="));
    const { stdout: help } = await runCli(["serve", "--help"]);
    for (const [flag = ""] of args) expect(help).toContain(`${flag} <`);
    const flags = new Map(args.map(([flag, value]) => [flag, Number(value)] as const));
    const stopSeconds = (flags.get("--drain-delay") ?? NaN) + (flags.get("--grace") ?? NaN);
    expect(template?.spec?.terminationGracePeriodSeconds).toBeGreaterThan(stopSeconds);
    expect(readFileSync(join(root, "deploy", "Containerfile"), "utf8")).toContain(
      `"--port", "${container?.ports?.[0]?.containerPort ?? ""}"`,
    );

    const metrics = createMetrics().render([]);
    const names = autoscaler?.metrics?.map(({ pods }) => pods?.metric.name ?? "none") ?? [];
    expect(names).toHaveLength(2);
    for (const name of names) expect(metrics).toContain(`# TYPE ${name} gauge`);
  });
});
