// What `make check` holds the scripts to. Phones from 2018 on must be able to read them: nothing newer than ES2019.
import js from "@eslint/js";
import globals from "globals";

const STYLE = {
  "max-len": ["error", { code: 120 }],
  "max-lines-per-function": ["error", { max: 80 }],
  complexity: ["error", 12],
  curly: ["error", "multi-line"],
  eqeqeq: "error",
  "func-style": "off",
  "no-shadow": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "one-var": ["error", "never"],
  "prefer-arrow-callback": "error",
  "prefer-const": "error",
  "prefer-template": "error",
};

export default [
  { ignores: ["**/node_modules/", "trace_app/static/vendor/"] },
  js.configs.recommended,
  { rules: STYLE },
  {
    files: ["trace_app/static/js/*.js"],
    languageOptions: { ecmaVersion: 2019, sourceType: "module", globals: globals.browser },
  },
  {
    files: ["trace_app/static/sw.js"],
    languageOptions: { ecmaVersion: 2019, sourceType: "script", globals: globals.serviceworker },
  },
  {
    files: ["tests/node/**"],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.node },
  },
];
