// nginx with deploy/nginx.conf, as a process of its own in a temporary folder.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const configuration = fileURLToPath(new URL("../../deploy/nginx.conf", import.meta.url));

/**
 * Starts nginx in front of servers. The program is `NGINX`, or nginx in the PATH or in /usr/sbin.
 *
 * @param urls as many as the configuration has servers.
 */
export async function startNginx(urls) {
  const folder = mkdtempSync(join(os.tmpdir(), "bitnet-nginx-"));
  const port = await freePort();
  const ports = urls.map((url) => new URL(url).port);
  // Only the ports differ from the file that users take.
  const text = readFileSync(configuration, "utf8")
    .replace("listen 8080;", `listen 127.0.0.1:${port};`)
    .replaceAll(/server 127\.0\.0\.1:\d+;/g, () => `server 127.0.0.1:${ports.shift()};`);
  writeFileSync(join(folder, "bitnet.conf"), text);
  writeFileSync(join(folder, "nginx.conf"), mainConfiguration(folder));

  const child = spawn(process.env.NGINX ?? "nginx", ["-e", "stderr", "-p", folder, "-c", "nginx.conf"], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ["ignore", "ignore", "pipe"],
  });
  process.once("exit", () => child.kill());
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  let failure;
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve((failure = error.message)));
    child.once("exit", (status) => resolve((failure = `nginx ended with ${status}: ${complaints}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(url))) if (failure !== undefined) throw new Error(failure);

  return {
    url,
    /** For each request: the ports that nginx tried, in this order, and the status for the client. */
    requests() {
      const lines = readFileSync(join(folder, "access.log"), "utf8").trim().split("\n").slice(1);
      return lines.map((line) => {
        const [status, ...addresses] = line.split(/[ ,]+/);
        return { status: Number(status), ports: addresses.map((address) => address.split(":").at(-1)) };
      });
    },
    async stop() {
      child.kill("SIGQUIT");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

function mainConfiguration(folder) {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
pid nginx.pid;
error_log stderr crit;
worker_processes 1;
${process.getuid?.() === 0 ? "user root;" : ""}
events {}
http {
  ${temporary.map((name) => `${name}_temp_path ${name};`).join("\n  ")}
  log_format tries "$status $upstream_addr";
  access_log access.log tries;
  include ${folder}/bitnet.conf;
}
`;
}

async function answers(url) {
  try {
    await (await fetch(`${url}/health`)).text();
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return false;
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
