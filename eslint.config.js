import jsdoc from "eslint-plugin-jsdoc";
import tseslint from "typescript-eslint";
import { style } from "./scripts/lint-rules.mjs";

/** One style for increments, arguments and doc comments. */
const styleRules = {
  "style/increments": "error",
  "style/boolean-arguments": "error",
  "jsdoc/check-alignment": "error",
  "jsdoc/check-param-names": ["error", { checkDestructured: false, disableMissingParamChecks: true }],
  "jsdoc/check-tag-names": ["error", { definedTags: ["remarks"] }],
  "jsdoc/empty-tags": "error",
  "jsdoc/no-types": "error",
  "jsdoc/require-hyphen-before-param-description": ["error", "never"],
  "jsdoc/require-param-description": "error",
  "jsdoc/require-param-name": "error",
  // `@throws BitNetError CODE, CODE.`: a code never stands alone.
  "jsdoc/match-description": [
    "error",
    { mainDescription: false, tags: { throws: "^(?!`?[A-Z]{4,}(_|\\b))[\\s\\S]+$" } },
  ],
};

/** camelCase for values, PascalCase for types. Only members may be snake_case: wire formats and kernels. */
const naming = [
  "error",
  { selector: "default", format: ["camelCase"], leadingUnderscore: "allow" },
  { selector: "import", format: ["camelCase", "PascalCase"] },
  { selector: "typeLike", format: ["PascalCase"] },
  { selector: "memberLike", format: ["camelCase", "snake_case", "PascalCase"] },
  { selector: "memberLike", modifiers: ["requiresQuotes"], format: null },
  // Keys of tables: names of weight formats and error codes.
  { selector: "objectLiteralProperty", filter: "^(I2_S|T?Q\\d_\\w+|[A-Z]+(_[A-Z]+)+)$", format: null },
  // A class of a library without types.
  { selector: "variable", modifiers: ["exported", "const"], format: ["camelCase", "StrictPascalCase"] },
  { selector: "variable", filter: "^BPE$", format: null },
  // Destructured members keep their names.
  { selector: ["variable", "parameter"], modifiers: ["destructured"], format: null },
];

export default tseslint.config(
  {
    ignores: [
      "training/.venv/",
      "dist",
      "build",
      "node_modules",
      "assembly",
      "src/wasm/generated",
      "coverage",
      ".cache",
      "site/api",
      "site/dist",
      "site/.vitepress/cache",
      "site/.vitepress/.temp",
    ],
  },
  { plugins: { style, jsdoc }, rules: styleRules },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.json", "./tsconfig.test.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/naming-convention": naming,
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // Wire messages and interface methods: both forms read well where they stand.
      "@typescript-eslint/method-signature-style": "off",
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/no-empty-function": "off",
      // It asks for the `!` that we do not use.
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      // An async method without await rejects where a plain one would throw: that is the contract.
      "@typescript-eslint/require-await": "off",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Named exports only." },
        { selector: "TSEnumDeclaration", message: "No enums: a union of literals." },
      ],
      "max-lines": ["error", { max: 500, skipBlankLines: false, skipComments: false }],
      "max-lines-per-function": ["error", { max: 150, skipBlankLines: false, skipComments: false }],
    },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts", "vitest.config.ts"],
    rules: {
      "@typescript-eslint/explicit-module-boundary-types": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "no-restricted-syntax": "off",
      // Keys of objects are also environment variables, weight formats and foreign fields.
      "@typescript-eslint/naming-convention": [
        ...naming,
        { selector: "objectLiteralProperty", format: null },
      ],
      // Tables of cases.
      "style/boolean-arguments": "off",
      // A suite is one function.
      "max-lines-per-function": "off",
      // Tests of tokenizers mean code points.
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
    },
  },
  { files: ["**/*.d.ts"], rules: { "@typescript-eslint/naming-convention": "off" } },
  { files: ["**/*.mjs", "**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
);
