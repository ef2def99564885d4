// ESLint rules that no plugin has.

/** Functions of others that take a boolean: DataView's, collections', promises', libraries'. */
const foreign =
  /^((get|set)(Big)?(Int|Uint|Float)\d+|set|add|has|push|fill|includes|resolve|indexOf|literal|helpCommand|createSourceFile)$/;

export const style = {
  rules: {
    increments: {
      meta: {
        type: "suggestion",
        fixable: "code",
        schema: [],
        messages: { increment: "Write `{{ name }} {{ operator }} 1`." },
      },
      create({ sourceCode, report }) {
        return {
          UpdateExpression(node) {
            const name = sourceCode.getText(node.argument);
            const operator = node.operator === "++" ? "+=" : "-=";
            // Elsewhere the value is used, so a fix could change the meaning.
            const list = node.parent.type === "SequenceExpression" ? node.parent : node;
            const isStatement =
              list.parent.type === "ExpressionStatement" ||
              (list.parent.type === "ForStatement" && list.parent.update === list);
            report({
              node,
              messageId: "increment",
              data: { name, operator },
              fix: isStatement ? (fixer) => fixer.replaceText(node, `${name} ${operator} 1`) : null,
            });
          },
        };
      },
    },
    "boolean-arguments": {
      meta: {
        type: "suggestion",
        schema: [],
        messages: { boolean: "Name what is {{ value }}: a field of an options object." },
      },
      create({ report }) {
        return {
          "CallExpression > Literal.arguments"(node) {
            if (typeof node.value !== "boolean") return;
            const { callee } = node.parent;
            const name = callee.type === "MemberExpression" ? callee.property.name : callee.name;
            if (!foreign.test(name ?? "")) report({ node, messageId: "boolean", data: { value: node.raw } });
          },
        };
      },
    },
  },
};
