import { f32 } from "./float32.js";

/** relu(gate)² · up in f32, in the native engine's order. */
export function relu2Gate(gate: number, up: number): number {
  const r = Math.max(gate, 0);
  return f32(f32(r * r) * up);
}

/** gate / (1 + e^−gate) · up in f64. */
export function siluGate(gate: number, up: number): number {
  return (gate / (1 + Math.exp(-gate))) * up;
}

/** GELU by its tanh approximation (Hendrycks and Gimpel, 2016), times up, in f64. */
export function geluGate(gate: number, up: number): number {
  return 0.5 * gate * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3))) * up;
}
