// The table of kernels: pure functions over addresses. No heap, no globals that change, no imports except the
// memory.

export { attention } from "./kernels/attention";
export { attention_int8_dot_i32, attention_int8_dot_i8 } from "./kernels/attention-int8";
export { store_keys_int8, store_values_int8 } from "./kernels/store-heads-int8";
export { add_rows, scale_rows } from "./kernels/elementwise";
export { gate_gelu, gate_relu2, gate_silu } from "./kernels/gated-activation";
export {
  matmul_affine4_32_i8_dot_i16,
  matmul_affine4_32_i8_dot_i32,
  matmul_affine4_32_i8_dot_i8,
  matmul_affine4_32_min_i8_dot_i16,
  matmul_affine4_32_min_i8_dot_i32,
  matmul_affine4_32_min_i8_dot_i8,
  matmul_affine6_16_i8_dot_i16,
  matmul_affine6_16_i8_dot_i32,
  matmul_affine6_16_i8_dot_i8,
  matmul_affine6_16_min_i8_dot_i16,
  matmul_affine6_16_min_i8_dot_i32,
  matmul_affine6_16_min_i8_dot_i8,
  matmul_affine6_32_i8_dot_i16,
  matmul_affine6_32_i8_dot_i32,
  matmul_affine6_32_i8_dot_i8,
  matmul_affine6_32_min_i8_dot_i16,
  matmul_affine6_32_min_i8_dot_i32,
  matmul_affine6_32_min_i8_dot_i8,
  matmul_affine8_32_i8_dot_i16,
  matmul_affine8_32_i8_dot_i32,
  matmul_affine8_32_i8_dot_i8,
} from "./kernels/matmul-affine";
export {
  matmul_bf16_f32,
  matmul_f16_f32,
  matmul_f32_f32,
  row_bf16,
  row_f16,
  row_f32,
} from "./kernels/matmul-float";
export {
  add_lookups_16,
  add_lookups_32,
  add_lookups_64,
  finish_lookups_i8,
  lookup_half_tables_i8,
  lookup_tables_i8,
} from "./kernels/matmul-lookup";
export {
  add_half_lookups_16,
  add_half_lookups_32,
  add_half_lookups_64,
  add_scaled_lookups_16,
  add_scaled_lookups_32,
  add_scaled_lookups_64,
  finish_scaled_lookups,
} from "./kernels/matmul-lookup-groups";
export {
  add_base3_lookups_16,
  add_base3_lookups_32,
  lookup_base3_tables_i8,
} from "./kernels/matmul-lookup-base3";
export { matmul_i8_i14_dot_i16, matmul_i8_i14_dot_i32, matmul_i8_i14_dot_i8 } from "./kernels/matmul-int8";
export {
  matmul_i8_i14_pairs_dot_i16,
  matmul_i8_i14_pairs_dot_i32,
  matmul_i8_i14_pairs_dot_i8,
} from "./kernels/matmul-int8-pairs";
export { pack_halves_i8, quantize_activations_i14 } from "./kernels/pack-int8";
export {
  matmul_base3_groups_i8_dot_i16,
  matmul_base3_groups_i8_dot_i8,
  matmul_base3_groups_i8_dot_i32,
} from "./kernels/matmul-base3-groups";
export {
  matmul_base3_i8_dot_i16,
  matmul_base3_i8_dot_i8,
  matmul_base3_i8_dot_i32,
  matmul_base3_listed_i8_dot_i16,
  matmul_base3_listed_i8_dot_i8,
  matmul_base3_listed_i8_dot_i32,
} from "./kernels/matmul-base3";
export {
  matmul_ternary_i8_dot_i16,
  matmul_ternary_i8_dot_i8,
  matmul_ternary_i8_dot_i32,
  matmul_ternary_listed_i8_dot_i16,
  matmul_ternary_listed_i8_dot_i8,
  matmul_ternary_wide_i8_dot_i32,
  matmul_ternary_listed_i8_dot_i32,
} from "./kernels/matmul-ternary";
export {
  matmul_ternary_groups128_i8_dot_i16,
  matmul_ternary_groups128_i8_dot_i8,
  matmul_ternary_groups128_i8_dot_i32,
  matmul_ternary_groups64_i8_dot_i16,
  matmul_ternary_groups64_i8_dot_i8,
  matmul_ternary_groups64_i8_dot_i32,
} from "./kernels/matmul-ternary-groups";
export { pack_base3, pack_base3_tq1_0 } from "./kernels/pack-base3";
export { pack_q1_0, pack_q2_0, pack_tq1_0, pack_tq2_0 } from "./kernels/pack-groups";
export { check_finite_16, check_finite_f32, check_ternary, pack_f16, widen_f16 } from "./kernels/pack";
export { quantize_activations_i8 } from "./kernels/quantize-activations";
export { quantize_activations_blocks, quantize_activations_groups } from "./kernels/quantize-groups";
export { sum_words } from "./kernels/read";
export { rms_norm } from "./kernels/rms-norm";
export {
  resize_heads,
  rope_adjacent,
  rope_frequencies,
  rope_halves,
  rope_magnitude,
  rope_table,
  store_heads_f16,
} from "./kernels/rope";
export { row_base3, row_base3_groups } from "./kernels/row-base3";
export { row_affine } from "./kernels/row-affine";
export { row_ternary, row_ternary_groups } from "./kernels/row-ternary";
export { screen_rows } from "./kernels/screen";
export { softmax_totals } from "./kernels/softmax-totals";
export {
  gate_relu2_listed,
  list_nonzero,
  list_positive,
  matmul_ternary_columns_i8,
  transpose_ternary,
} from "./kernels/sparse";
export { team_barrier, team_break } from "./kernels/team";
