import type { Kernels } from "#dist/wasm/kernels.js";
import type { KernelTwin } from "./kernel-case.js";
import { attentionTwin } from "./twins/attention.js";
import { int8AttentionTwin, storeInt8Twin } from "./twins/attention-int8.js";
import { packBase3Tq10Twin, packBase3Twin, rowBase3GroupsTwin, rowBase3Twin } from "./twins/base3-rows.js";
import { addRowsTwin, scaleRowsTwin } from "./twins/elementwise.js";
import { geluTwin, relu2Twin, siluTwin } from "./twins/gated-activation.js";
import { int8MatmulTwin, packHalvesTwin } from "./twins/int8-rows.js";
import { base3GroupsTwin, base3Twin, listedBase3Twin } from "./twins/matmul-base3.js";
import { affineTwin, quantizeBlocksTwin, rowAffineTwin } from "./twins/matmul-affine.js";
import {
  addLookupsTwin,
  addScaledLookupsTwin,
  base3Tables,
  finishLookupsTwin,
  finishScaledLookupsTwin,
  halfTables,
  lookupTablesTwin,
  wholeTables,
} from "./twins/matmul-lookup.js";
import { bf16Layout, f16Layout, f32Layout, floatMatmulTwin, floatRowTwin } from "./twins/matmul-float.js";
import { screenRowsTwin } from "./twins/screen.js";
import { ternaryTwin, wideTernaryTwin } from "./twins/matmul-ternary.js";
import { quantizeGroupsTwin, ternaryGroupsTwin } from "./twins/matmul-ternary-groups.js";
import { packQ10Twin, packQ20Twin, packTq10Twin, packTq20Twin } from "./twins/pack-groups.js";
import { checkFiniteTwin, checkTernaryTwin, packF16Twin, widenF16Twin } from "./twins/pack.js";
import { quantizeI14Twin, quantizeI8Twin } from "./twins/quantize-activations.js";
import { sumWordsTwin } from "./twins/read.js";
import { rmsNormTwin } from "./twins/rms-norm.js";
import {
  resizeHeadsTwin,
  ropeFrequenciesTwin,
  ropeMagnitudeTwin,
  ropeTableTwin,
  ropeTwin,
  storeHeadsTwin,
} from "./twins/rope.js";
import { rowTernaryGroupsTwin, rowTernaryTwin } from "./twins/row-ternary.js";
import {
  columnsTwin,
  listedTwin,
  listNonzeroTwin,
  listPositiveTwin,
  relu2ListedTwin,
  transposeTwin,
} from "./twins/sparse.js";
import { softmaxTotalsTwin } from "./twins/softmax-totals.js";
import { teamBarrierTwin, teamBreakTwin } from "./twins/team.js";

/**
 * Every kernel and the cases that compare it with its twin. The type requires an entry for every new kernel.
 */
export const kernelTwins: Readonly<Record<keyof Kernels, KernelTwin>> = {
  add_base3_lookups_16: addLookupsTwin(16, base3Tables),
  add_base3_lookups_32: addLookupsTwin(32, base3Tables),
  add_half_lookups_16: addScaledLookupsTwin(16, 2),
  add_half_lookups_32: addScaledLookupsTwin(32, 2),
  add_half_lookups_64: addScaledLookupsTwin(64, 2),
  add_lookups_16: addLookupsTwin(16, wholeTables),
  add_lookups_32: addLookupsTwin(32, wholeTables),
  add_lookups_64: addLookupsTwin(64, wholeTables),
  add_rows: addRowsTwin,
  add_scaled_lookups_16: addScaledLookupsTwin(16, 1),
  add_scaled_lookups_32: addScaledLookupsTwin(32, 1),
  add_scaled_lookups_64: addScaledLookupsTwin(64, 1),
  attention: attentionTwin,
  attention_int8_dot_i32: int8AttentionTwin("i32"),
  attention_int8_dot_i8: int8AttentionTwin("i8"),
  check_finite_16: checkFiniteTwin("F16", "BF16"),
  check_finite_f32: checkFiniteTwin("F32"),
  check_ternary: checkTernaryTwin,
  finish_lookups_i8: finishLookupsTwin,
  finish_scaled_lookups: finishScaledLookupsTwin,
  gate_gelu: geluTwin,
  gate_relu2: relu2Twin,
  gate_relu2_listed: relu2ListedTwin,
  gate_silu: siluTwin,
  list_nonzero: listNonzeroTwin,
  list_positive: listPositiveTwin,
  lookup_base3_tables_i8: lookupTablesTwin(base3Tables),
  lookup_half_tables_i8: lookupTablesTwin(halfTables),
  lookup_tables_i8: lookupTablesTwin(wholeTables),
  matmul_base3_groups_i8_dot_i16: base3GroupsTwin("i16"),
  matmul_base3_groups_i8_dot_i32: base3GroupsTwin("i32"),
  matmul_base3_groups_i8_dot_i8: base3GroupsTwin("i8"),
  matmul_base3_i8_dot_i16: base3Twin("i16"),
  matmul_base3_i8_dot_i32: base3Twin("i32"),
  matmul_base3_i8_dot_i8: base3Twin("i8"),
  matmul_base3_listed_i8_dot_i16: listedBase3Twin("i16"),
  matmul_base3_listed_i8_dot_i32: listedBase3Twin("i32"),
  matmul_base3_listed_i8_dot_i8: listedBase3Twin("i8"),
  matmul_affine4_32_i8_dot_i16: affineTwin("i16", "affine-4-32"),
  matmul_affine4_32_i8_dot_i32: affineTwin("i32", "affine-4-32"),
  matmul_affine4_32_i8_dot_i8: affineTwin("i8", "affine-4-32"),
  matmul_affine4_32_min_i8_dot_i16: affineTwin("i16", "affine-4-32-min"),
  matmul_affine4_32_min_i8_dot_i32: affineTwin("i32", "affine-4-32-min"),
  matmul_affine4_32_min_i8_dot_i8: affineTwin("i8", "affine-4-32-min"),
  matmul_affine6_16_i8_dot_i16: affineTwin("i16", "affine-6-16"),
  matmul_affine6_16_i8_dot_i32: affineTwin("i32", "affine-6-16"),
  matmul_affine6_16_i8_dot_i8: affineTwin("i8", "affine-6-16"),
  matmul_affine6_16_min_i8_dot_i16: affineTwin("i16", "affine-6-16-min"),
  matmul_affine6_16_min_i8_dot_i32: affineTwin("i32", "affine-6-16-min"),
  matmul_affine6_16_min_i8_dot_i8: affineTwin("i8", "affine-6-16-min"),
  matmul_affine6_32_i8_dot_i16: affineTwin("i16", "affine-6-32"),
  matmul_affine6_32_i8_dot_i32: affineTwin("i32", "affine-6-32"),
  matmul_affine6_32_i8_dot_i8: affineTwin("i8", "affine-6-32"),
  matmul_affine6_32_min_i8_dot_i16: affineTwin("i16", "affine-6-32-min"),
  matmul_affine6_32_min_i8_dot_i32: affineTwin("i32", "affine-6-32-min"),
  matmul_affine6_32_min_i8_dot_i8: affineTwin("i8", "affine-6-32-min"),
  matmul_affine8_32_i8_dot_i16: affineTwin("i16", "affine-8-32"),
  matmul_affine8_32_i8_dot_i32: affineTwin("i32", "affine-8-32"),
  matmul_affine8_32_i8_dot_i8: affineTwin("i8", "affine-8-32"),
  matmul_bf16_f32: floatMatmulTwin(bf16Layout),
  matmul_f16_f32: floatMatmulTwin(f16Layout),
  matmul_f32_f32: floatMatmulTwin(f32Layout),
  matmul_i8_i14_dot_i16: int8MatmulTwin("i16", { inPairs: false }),
  matmul_i8_i14_dot_i32: int8MatmulTwin("i32", { inPairs: false }),
  matmul_i8_i14_dot_i8: int8MatmulTwin("i8", { inPairs: false }),
  matmul_i8_i14_pairs_dot_i16: int8MatmulTwin("i16", { inPairs: true }),
  matmul_i8_i14_pairs_dot_i32: int8MatmulTwin("i32", { inPairs: true }),
  matmul_i8_i14_pairs_dot_i8: int8MatmulTwin("i8", { inPairs: true }),
  matmul_ternary_columns_i8: columnsTwin,
  matmul_ternary_groups128_i8_dot_i16: ternaryGroupsTwin("i16", 128),
  matmul_ternary_groups128_i8_dot_i32: ternaryGroupsTwin("i32", 128),
  matmul_ternary_groups128_i8_dot_i8: ternaryGroupsTwin("i8", 128),
  matmul_ternary_groups64_i8_dot_i16: ternaryGroupsTwin("i16", 64),
  matmul_ternary_groups64_i8_dot_i32: ternaryGroupsTwin("i32", 64),
  matmul_ternary_groups64_i8_dot_i8: ternaryGroupsTwin("i8", 64),
  matmul_ternary_i8_dot_i16: ternaryTwin("i16"),
  matmul_ternary_i8_dot_i32: ternaryTwin("i32"),
  matmul_ternary_i8_dot_i8: ternaryTwin("i8"),
  matmul_ternary_listed_i8_dot_i16: listedTwin("i16"),
  matmul_ternary_listed_i8_dot_i32: listedTwin("i32"),
  matmul_ternary_listed_i8_dot_i8: listedTwin("i8"),
  matmul_ternary_wide_i8_dot_i32: wideTernaryTwin,
  pack_base3: packBase3Twin,
  pack_base3_tq1_0: packBase3Tq10Twin,
  pack_f16: packF16Twin,
  pack_halves_i8: packHalvesTwin,
  pack_q1_0: packQ10Twin,
  pack_q2_0: packQ20Twin,
  pack_tq1_0: packTq10Twin,
  pack_tq2_0: packTq20Twin,
  quantize_activations_blocks: quantizeBlocksTwin,
  quantize_activations_groups: quantizeGroupsTwin,
  quantize_activations_i14: quantizeI14Twin,
  quantize_activations_i8: quantizeI8Twin,
  resize_heads: resizeHeadsTwin,
  rms_norm: rmsNormTwin,
  rope_adjacent: ropeTwin("adjacent"),
  rope_frequencies: ropeFrequenciesTwin,
  rope_halves: ropeTwin("halves"),
  rope_magnitude: ropeMagnitudeTwin,
  rope_table: ropeTableTwin,
  row_base3: rowBase3Twin,
  row_base3_groups: rowBase3GroupsTwin,
  row_affine: rowAffineTwin,
  row_bf16: floatRowTwin(bf16Layout),
  row_f16: floatRowTwin(f16Layout),
  row_f32: floatRowTwin(f32Layout),
  row_ternary: rowTernaryTwin,
  row_ternary_groups: rowTernaryGroupsTwin,
  scale_rows: scaleRowsTwin,
  screen_rows: screenRowsTwin,
  softmax_totals: softmaxTotalsTwin,
  store_heads_f16: storeHeadsTwin,
  store_keys_int8: storeInt8Twin("keys"),
  store_values_int8: storeInt8Twin("values"),
  sum_words: sumWordsTwin,
  team_barrier: teamBarrierTwin,
  team_break: teamBreakTwin,
  transpose_ternary: transposeTwin,
  widen_f16: widenF16Twin,
};
