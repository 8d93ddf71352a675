import tseslint from 'typescript-eslint';

const PURE_ROOMS = ['control/protocol/**/*.ts', 'control/ssm/**/*.ts', 'control/mrib/**/*.ts'];

export default tseslint.config(
  { ignores: ['**/build/**', '**/node_modules/**', 'proto/gen/**', 'bindings/index.js', '**/*.mjs'] },
  {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      eqeqeq: 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Name what you export.' },
        { selector: 'TSEnumDeclaration', message: 'Use a const object or a union.' },
      ],
    },
  },
  {
    files: ['control/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 80, skipComments: true }],
      'max-params': ['error', 4],
    },
  },
  {
    // Sans-IO: time and chance are handed in.
    files: PURE_ROOMS,
    rules: {
      'no-restricted-imports': ['error', { patterns: ['node:*', '#bindings', '**/kernel/*', '@grpc/*', 'pino', 'prom-client'] }],
      'no-restricted-globals': ['error', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance', 'console', 'crypto'],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
    },
  },
);
